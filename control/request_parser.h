// HTTP/1.1 requests out of a byte stream, by llhttp in its strict mode.  One request at a time: bytes after
// its end stay with the caller.
#pragma once

#include <llhttp.h>

#include <string>
#include <string_view>

namespace rowhouse::control {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;
  std::string body;
  bool keep_alive = true;
};

class RequestParser {
 public:
  static constexpr std::size_t kMaxHeadBytes = 16 * 1024;
  static constexpr std::size_t kMaxBodyBytes = 64 * 1024;

  enum class Outcome { kMore, kComplete, kMalformed, kHeadTooLarge, kBodyTooLarge, kExpectation };
  struct Fed {
    Outcome outcome = Outcome::kMore;
    std::size_t consumed = 0;  // bytes of the input that belong to this request
  };

  RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // REQUIRES: after any outcome but kMore, reset() was called.
  [[nodiscard]] Fed feed(std::string_view bytes);
  // The request, once feed answered kComplete; valid until reset().
  [[nodiscard]] const HttpRequest& request() const { return request_; }
  // True when nothing of a request has been read.
  [[nodiscard]] bool is_fresh() const { return fed_bytes_ == 0; }
  void reset();

 private:
  static int on_url(llhttp_t* parser, const char* at, std::size_t size);
  static int on_header_field(llhttp_t* parser, const char* at, std::size_t size);
  static int on_header_value(llhttp_t* parser, const char* at, std::size_t size);
  static int on_header_value_complete(llhttp_t* parser);
  static int on_headers_complete(llhttp_t* parser);
  static int on_body(llhttp_t* parser, const char* at, std::size_t size);
  static int on_message_complete(llhttp_t* parser);
  static const llhttp_settings_t& settings();
  int refuse(Outcome outcome);
  int count_head(std::size_t bytes);

  llhttp_t parser_{};
  HttpRequest request_;
  std::string field_;
  std::size_t fed_bytes_ = 0;
  std::size_t head_bytes_ = 0;
  bool head_complete_ = false;
  int hosts_ = 0;
  Outcome outcome_ = Outcome::kMore;
};

}  // namespace rowhouse::control
