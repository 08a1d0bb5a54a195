#include "control/request_parser.h"

#include <algorithm>
#include <cctype>

namespace rowhouse::control {
namespace {

RequestParser& self(llhttp_t* parser) {
  return *static_cast<RequestParser*>(parser->data);
}

}  // namespace

RequestParser::RequestParser() {
  reset();
}

const llhttp_settings_t& RequestParser::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = on_url;
    made.on_header_field = on_header_field;
    made.on_header_value = on_header_value;
    made.on_header_value_complete = on_header_value_complete;
    made.on_headers_complete = on_headers_complete;
    made.on_body = on_body;
    made.on_message_complete = on_message_complete;
    return made;
  }();
  return kSettings;
}

void RequestParser::reset() {
  llhttp_init(&parser_, HTTP_REQUEST, &settings());
  parser_.data = this;
  request_ = HttpRequest{};
  field_.clear();
  fed_bytes_ = 0;
  head_bytes_ = 0;
  head_complete_ = false;
  hosts_ = 0;
  outcome_ = Outcome::kMore;
}

RequestParser::Fed RequestParser::feed(std::string_view bytes) {
  // Before the head is complete everything counts, so that no line end or space escapes the cap.
  if (!head_complete_) fed_bytes_ += bytes.size();
  const llhttp_errno_t result = llhttp_execute(&parser_, bytes.data(), bytes.size());
  Fed fed{outcome_, bytes.size()};
  if (outcome_ == Outcome::kComplete) {
    fed.consumed = static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - bytes.data());
  } else if (outcome_ == Outcome::kMore && result != HPE_OK) {
    fed.outcome = Outcome::kMalformed;
  } else if (outcome_ == Outcome::kMore && !head_complete_ && fed_bytes_ > kMaxHeadBytes) {
    fed.outcome = Outcome::kHeadTooLarge;
  }
  return fed;
}

int RequestParser::refuse(Outcome outcome) {
  outcome_ = outcome;
  return HPE_USER;
}

// Names, values and target: what a head holds on to, also when it comes in one piece with its end.
int RequestParser::count_head(std::size_t bytes) {
  head_bytes_ += bytes;
  return head_bytes_ > kMaxHeadBytes ? refuse(Outcome::kHeadTooLarge) : 0;
}

int RequestParser::on_url(llhttp_t* parser, const char* at, std::size_t size) {
  RequestParser& it = self(parser);
  it.request_.target.append(at, size);
  return it.count_head(size);
}

int RequestParser::on_header_field(llhttp_t* parser, const char* at, std::size_t size) {
  RequestParser& it = self(parser);
  it.field_.append(at, size);
  return it.count_head(size);
}

int RequestParser::on_header_value(llhttp_t* parser, const char*, std::size_t size) {
  return self(parser).count_head(size);
}

int RequestParser::on_header_value_complete(llhttp_t* parser) {
  RequestParser& it = self(parser);
  std::transform(it.field_.begin(), it.field_.end(), it.field_.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (it.field_ == "host") ++it.hosts_;
  // Nothing here is ever large enough to wait for a 100 (RFC 9110 10.1.1).
  const bool expects = it.field_ == "expect";
  it.field_.clear();
  return expects ? it.refuse(Outcome::kExpectation) : 0;
}

int RequestParser::on_headers_complete(llhttp_t* parser) {
  RequestParser& it = self(parser);
  it.head_complete_ = true;
  // RFC 9112 3.2: HTTP/1.1 needs exactly one Host.
  const bool is_1_1 = parser->http_major == 1 && parser->http_minor == 1;
  const bool is_1_0 = parser->http_major == 1 && parser->http_minor == 0;
  if ((!is_1_1 && !is_1_0) || it.hosts_ > 1 || (is_1_1 && it.hosts_ == 0))
    return it.refuse(Outcome::kMalformed);
  return 0;
}

int RequestParser::on_body(llhttp_t* parser, const char* at, std::size_t size) {
  RequestParser& it = self(parser);
  if (it.request_.body.size() + size > kMaxBodyBytes) return it.refuse(Outcome::kBodyTooLarge);
  it.request_.body.append(at, size);
  return 0;
}

int RequestParser::on_message_complete(llhttp_t* parser) {
  RequestParser& it = self(parser);
  it.request_.method = llhttp_method_name(static_cast<llhttp_method_t>(parser->method));
  it.request_.keep_alive = llhttp_should_keep_alive(parser) != 0 && parser->upgrade == 0;
  it.outcome_ = Outcome::kComplete;
  return HPE_PAUSED;
}

}  // namespace rowhouse::control
