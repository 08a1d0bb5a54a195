#include "worker/response_draft.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace rowhouse::worker {
namespace {

constexpr std::array<std::string_view, 9> kHopByHop = {
    "connection", "keep-alive", "proxy-authenticate", "te",     "proxy-authorization",
    "trailer",    "trailers",   "transfer-encoding",  "upgrade"};

Error refuse(const char* sentence_end) {
  return make_error(ErrorCode::kInvalid, sentence_end);
}

bool is_same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// RFC 9110 5.6.2.
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

// HTAB, SP, VCHAR, obs-text.
bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code >= 0x20 && code != 0x7f) || code == '\t';
  });
}

std::string_view trim(std::string_view value) {
  const std::size_t begin = value.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return value.substr(begin, value.find_last_not_of(" \t") - begin + 1);
}

// The number of a well-known name in the spelling that everybody uses ("Content-Type", "ETag"); names in
// another letter case go as they are.
std::uint8_t spelled_number(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::uint8_t>, 11> kSpelled = {{
      {"Content-Type", proto::kFieldContentType},
      {"Content-Length", proto::kFieldContentLength},
      {"Set-Cookie", proto::kFieldSetCookie},
      {"Location", proto::kFieldLocation},
      {"Date", proto::kFieldDate},
      {"Server", proto::kFieldServer},
      {"Cache-Control", 5},
      {"ETag", 18},
      {"Expires", 19},
      {"Last-Modified", 20},
      {"Vary", 24},
  }};
  for (const auto& [spelling, number] : kSpelled) {
    if (spelling == name) return number;
  }
  return 0;
}

}  // namespace

void ResponseDraft::clear() {
  status_ = 0;
  reason_.clear();
  text_.clear();
  field_bytes_ = 0;
  entries_.clear();
  content_length_.reset();
}

Status ResponseDraft::set_status(std::string_view line) {
  if (line.size() < 4 || line[3] != ' ') return refuse("is not three digits, a space and a reason");
  unsigned status = 0;
  for (const char digit : line.substr(0, 3)) {
    if (digit < '0' || digit > '9') return refuse("is not three digits, a space and a reason");
    status = status * 10 + static_cast<unsigned>(digit - '0');
  }
  if (status < 200 || status > 599) return refuse("is not from 200 to 599");
  const std::string_view reason = line.substr(4);
  if (reason.size() > proto::kMaxReasonBytes) return refuse("is longer than 128 bytes");
  if (!is_field_text(reason)) return refuse("has a control character");
  status_ = static_cast<std::uint16_t>(status);
  reason_.assign(reason);
  return {};
}

Status ResponseDraft::set_status_code(long status) {
  if (status < 200 || status > 599) return refuse("is not from 200 to 599");
  status_ = static_cast<std::uint16_t>(status);
  return {};
}

bool ResponseDraft::is_hop_by_hop(std::string_view name) {
  return std::any_of(kHopByHop.begin(), kHopByHop.end(),
                     [name](std::string_view forbidden) { return is_same_name(name, forbidden); });
}

Status ResponseDraft::add_field(std::string_view name, std::string_view untrimmed) {
  if (!is_token(name)) return refuse("is not a valid header name");
  if (!is_field_text(untrimmed)) return refuse("has a control character in its value");
  const std::string_view value = trim(untrimmed);
  if (is_hop_by_hop(name)) return refuse("is a hop-by-hop header, which only the server may send");
  const std::size_t size = name.size() + value.size();
  if (size > proto::kMaxFieldBytes) return refuse("is longer than 16 KiB");
  // One place is kept for a Content-Length of ours.
  if (entries_.size() >= proto::kMaxFields - 1) return refuse("is one header too many: there are at most 99");
  if (field_bytes_ + size > proto::kMaxHeadBytes - 64) return refuse("makes the head longer than 64 KiB");
  if (is_same_name(name, "content-length")) {
    if (content_length_) return refuse("is there twice");
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc() || end != value.data() + value.size()) return refuse("is not a number of bytes");
    content_length_ = length;
  }
  append(name, value);
  return {};
}

void ResponseDraft::set_content_length(std::uint64_t bytes) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, bytes);
  append("Content-Length", {digits, static_cast<std::size_t>(end - digits)});
  content_length_ = bytes;
}

void ResponseDraft::append(std::string_view name, std::string_view value) {
  Entry entry;
  entry.number = spelled_number(name);
  entry.name_at = static_cast<std::uint32_t>(text_.size());
  entry.name_bytes = static_cast<std::uint32_t>(name.size());
  text_.append(name);
  entry.value_at = static_cast<std::uint32_t>(text_.size());
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
  text_.append(value);
  field_bytes_ += name.size() + value.size();
  entries_.push_back(entry);
}

proto::ResponseHead ResponseDraft::head(proto::FieldRoom& room) const {
  const std::string_view text = text_;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    room.fields[i] = {entry.number, text.substr(entry.name_at, entry.name_bytes),
                      text.substr(entry.value_at, entry.value_bytes)};
  }
  return {status_, reason_, std::span<const proto::Field>(room.fields, entries_.size())};
}

}  // namespace rowhouse::worker
