// One HTTP/1.1 request as bytes: llhttp behind the stricter rules of head_rules and chunk_rules.  Both must
// agree on where the request ends; whatever either refuses is refused.
//
// The caller collects the head (find_head_end, check_head) and gives the whole block to begin(); then it
// gives the bytes after it to read_body(), never more than it can use, and gets the decoded body back through
// a sink.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/chunk_rules.h"
#include "gateway/head_rules.h"

namespace rowhouse::gateway {

// Gets the decoded body.  body() tells already whether these are the last bytes.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void on_body(std::string_view bytes) = 0;
};

class Http1Request {
 public:
  enum class Body : std::uint8_t { kMore, kComplete, kRefused };

  Http1Request();
  Http1Request(const Http1Request&) = delete;
  Http1Request& operator=(const Http1Request&) = delete;

  // Starts a request.  `head` is what check_head made of `block`.
  [[nodiscard]] std::optional<HeadRefusal> begin(std::string_view block, const CheckedHead& head);

  [[nodiscard]] Body body() const { return body_; }
  // Bytes of body still due, when that is known; else nothing.
  [[nodiscard]] std::optional<std::uint64_t> length_left() const;
  // Reads the body at the beginning of `input` and returns how many bytes belong to it; body() tells the
  // rest. No more than input.size() bytes reach the sink, in at most one call.
  std::size_t read_body(std::string_view input, BodySink& sink);

 private:
  static const llhttp_settings_t& settings();
  [[nodiscard]] bool agrees_with(const CheckedHead& head) const;
  std::size_t read_length(std::string_view input, BodySink& sink);
  std::size_t read_chunked(std::string_view input, BodySink& sink);
  [[nodiscard]] bool feed(std::string_view bytes);

  llhttp_t parser_;
  BodyFraming framing_ = BodyFraming::kNone;
  Body body_ = Body::kComplete;
  std::uint64_t left_ = 0;
  ChunkRules chunks_;
  bool headers_complete_ = false;
  bool message_complete_ = false;
  std::uint16_t flags_ = 0;  // of the head, as llhttp understood it
  std::uint64_t parsed_length_ = 0;
  std::string decoded_;  // the part of one read_body
};

}  // namespace rowhouse::gateway
