#include "gateway/chunk_rules.h"

#include <algorithm>
#include <array>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

// Fields that a trailer must not carry (RFC 9110 6.5.1): framing, routing, credentials, and what governs how
// the message was read.
constexpr std::array<std::string_view, 26> kForbiddenTrailers = {"authorization",
                                                                 "cache-control",
                                                                 "connection",
                                                                 "content-encoding",
                                                                 "content-length",
                                                                 "content-range",
                                                                 "content-type",
                                                                 "cookie",
                                                                 "expect",
                                                                 "host",
                                                                 "if-match",
                                                                 "if-none-match",
                                                                 "if-modified-since",
                                                                 "if-unmodified-since",
                                                                 "if-range",
                                                                 "keep-alive",
                                                                 "max-forwards",
                                                                 "proxy-connection",
                                                                 "proxy-authorization",
                                                                 "range",
                                                                 "set-cookie",
                                                                 "te",
                                                                 "trailer",
                                                                 "transfer-encoding",
                                                                 "upgrade",
                                                                 "forwarded"};
constexpr std::size_t kLongestForbiddenBytes = 19;

bool is_forbidden(std::string_view lower_name) {
  return std::find(kForbiddenTrailers.begin(), kForbiddenTrailers.end(), lower_name) !=
         kForbiddenTrailers.end();
}

}  // namespace

ChunkRules::Progress ChunkRules::check(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    if (state_ == State::kData) {
      const std::uint64_t part = std::min<std::uint64_t>(size_, bytes.size() - used);
      size_ -= part;
      data_ += part;
      used += static_cast<std::size_t>(part);
      if (size_ == 0) state_ = State::kDataCr;
      continue;
    }
    ++framing_;
    state_ = is_mostly_framing() ? State::kRefused : step(bytes[used]);
    if (state_ == State::kRefused) return {Verdict::kRefused, used};
    ++used;
    if (state_ == State::kComplete) return {Verdict::kComplete, used};
  }
  return {Verdict::kMore, used};
}

bool ChunkRules::is_mostly_framing() const {
  return framing_ > kFreeChunkOverheadBytes && framing_ - kFreeChunkOverheadBytes > kMaxChunkOverhead * data_;
}

ChunkRules::State ChunkRules::step(char byte) {
  switch (state_) {
    case State::kSize:
      return on_size(byte);
    case State::kExtension:
      return on_extension(byte);
    case State::kSizeLf:
      return byte == '\n' ? on_size_end() : State::kRefused;
    case State::kDataCr:
      return byte == '\r' ? State::kDataLf : State::kRefused;
    case State::kDataLf:
      return byte == '\n' ? State::kSize : State::kRefused;
    case State::kTrailer:
      if (byte == '\r') return State::kLastLf;
      return on_trailer_name(byte);
    case State::kTrailerName:
      return on_trailer_name(byte);
    case State::kTrailerValue:
      if (++trailer_ > kMaxTrailerBytes) return State::kRefused;
      if (byte == '\r') return State::kTrailerLf;
      return kValueBytes[static_cast<unsigned char>(byte)] ? State::kTrailerValue : State::kRefused;
    case State::kTrailerLf:
      return byte == '\n' ? State::kTrailer : State::kRefused;
    case State::kLastLf:
      return byte == '\n' ? State::kComplete : State::kRefused;
    case State::kData:
    case State::kComplete:
    case State::kRefused:
      break;
  }
  return State::kRefused;
}

ChunkRules::State ChunkRules::on_size(char byte) {
  const int digit = hex_digit(byte);
  if (digit >= 0) {
    if (++digits_ > kMaxChunkSizeDigits) return State::kRefused;
    size_ = size_ << 4 | static_cast<std::uint64_t>(digit);
    return State::kSize;
  }
  if (digits_ == 0) return State::kRefused;
  if (byte == '\r') return State::kSizeLf;
  return byte == ';' ? on_extension(byte) : State::kRefused;
}

ChunkRules::State ChunkRules::on_extension(char byte) {
  if (byte == '\r') return State::kSizeLf;
  if (!kValueBytes[static_cast<unsigned char>(byte)]) return State::kRefused;
  if (++line_extension_ > kMaxChunkExtensionBytes) return State::kRefused;
  if (++body_extension_ > kMaxBodyExtensionBytes) return State::kRefused;
  return State::kExtension;
}

ChunkRules::State ChunkRules::on_size_end() {
  digits_ = 0;
  line_extension_ = 0;
  return size_ == 0 ? State::kTrailer : State::kData;
}

ChunkRules::State ChunkRules::on_trailer_name(char byte) {
  if (++trailer_ > kMaxTrailerBytes) return State::kRefused;
  if (state_ == State::kTrailer) trailer_name_.clear();
  if (byte == ':') {
    const bool refused = trailer_name_.empty() || is_forbidden(trailer_name_);
    return refused ? State::kRefused : State::kTrailerValue;
  }
  if (!kTokenBytes[static_cast<unsigned char>(byte)]) return State::kRefused;
  // Longer names than this are no forbidden ones and need not be known exactly.
  if (trailer_name_.size() <= kLongestForbiddenBytes) trailer_name_.push_back(to_lower(byte));
  return State::kTrailerName;
}

}  // namespace rowhouse::gateway
