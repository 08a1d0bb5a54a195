#include "gateway/http1_request.h"

#include <algorithm>

namespace rowhouse::gateway {
namespace {

HeadRefusal refusal_of(llhttp_errno_t error) {
  if (error == HPE_INVALID_METHOD)
    return {501, proto::Cause::kBadRequest, "method that the parser does not know"};
  return {400, proto::Cause::kBadRequest, llhttp_errno_name(error)};
}

}  // namespace

const llhttp_settings_t& Http1Request::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t result;
    llhttp_settings_init(&result);
    result.on_headers_complete = [](llhttp_t* parser) {
      auto& request = *static_cast<Http1Request*>(parser->data);
      request.headers_complete_ = true;
      request.flags_ = parser->flags;
      request.parsed_length_ = parser->content_length;
      parser->upgrade = 0;  // Upgrade is ignored (RFC 9110 7.8): what follows is HTTP
      return 0;
    };
    result.on_body = [](llhttp_t* parser, const char* bytes, std::size_t count) {
      static_cast<Http1Request*>(parser->data)->decoded_.append(bytes, count);
      return 0;
    };
    result.on_message_complete = [](llhttp_t* parser) {
      static_cast<Http1Request*>(parser->data)->message_complete_ = true;
      return 0;
    };
    return result;
  }();
  return kSettings;
}

Http1Request::Http1Request() {
  llhttp_init(&parser_, HTTP_REQUEST, &settings());
  parser_.data = this;
}

std::optional<HeadRefusal> Http1Request::begin(std::string_view block, const CheckedHead& head) {
  llhttp_reset(&parser_);
  headers_complete_ = false;
  message_complete_ = false;
  if (decoded_.capacity() > kKeptBufferBytes) std::string().swap(decoded_);
  framing_ = head.framing;
  left_ = head.content_length;
  if (framing_ == BodyFraming::kChunked) chunks_ = ChunkRules();
  const bool has_body = framing_ == BodyFraming::kChunked || left_ > 0;
  body_ = has_body ? Body::kMore : Body::kComplete;
  const llhttp_errno_t error = llhttp_execute(&parser_, block.data(), block.size());
  if (error != HPE_OK) return refusal_of(error);
  if (!agrees_with(head) || message_complete_ == has_body) {
    return HeadRefusal{400, proto::Cause::kBadRequest, "two parsers disagree"};
  }
  return std::nullopt;
}

bool Http1Request::agrees_with(const CheckedHead& head) const {
  if (!headers_complete_) return false;
  const bool chunked = (flags_ & F_CHUNKED) != 0;
  const bool has_length = (flags_ & F_CONTENT_LENGTH) != 0;
  switch (head.framing) {
    case BodyFraming::kNone:
      return !chunked && !has_length;
    case BodyFraming::kLength:
      return !chunked && has_length && parsed_length_ == head.content_length;
    case BodyFraming::kChunked:
      return chunked && !has_length;
  }
  return false;
}

std::optional<std::uint64_t> Http1Request::length_left() const {
  if (body_ != Body::kMore) return 0;
  if (framing_ == BodyFraming::kLength) return left_;
  return std::nullopt;
}

std::size_t Http1Request::read_body(std::string_view input, BodySink& sink) {
  if (body_ != Body::kMore || input.empty()) return 0;
  return framing_ == BodyFraming::kLength ? read_length(input, sink) : read_chunked(input, sink);
}

// A body of known length has no framing that llhttp could decode; the bytes are passed on as they are.
std::size_t Http1Request::read_length(std::string_view input, BodySink& sink) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  left_ -= count;
  if (left_ == 0) body_ = Body::kComplete;
  sink.on_body(input.substr(0, count));
  return count;
}

std::size_t Http1Request::read_chunked(std::string_view input, BodySink& sink) {
  const ChunkRules::Progress progress = chunks_.check(input);
  const std::string_view bytes = input.substr(0, progress.bytes);
  const bool complete = progress.verdict == ChunkRules::Verdict::kComplete;
  decoded_.clear();
  if (progress.verdict == ChunkRules::Verdict::kRefused || !feed(bytes) || message_complete_ != complete) {
    body_ = Body::kRefused;
    return 0;
  }
  if (complete) body_ = Body::kComplete;
  if (complete || !decoded_.empty()) sink.on_body(decoded_);
  return bytes.size();
}

bool Http1Request::feed(std::string_view bytes) {
  return llhttp_execute(&parser_, bytes.data(), bytes.size()) == HPE_OK;
}

}  // namespace rowhouse::gateway
