#include "gateway/error_answer.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "gateway/http_bytes.h"
#include "gateway/response_rules.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;

// For people who visit the site; what stands below the sentence is for those who run it.  Status 0 is any
// other.
struct Sentence {
  Cause cause;
  std::uint16_t status;
  std::string_view text;
};
constexpr auto kSentences = std::to_array<Sentence>({
    {Cause::kBadRequest, 405, "This method cannot be used here."},
    {Cause::kBadRequest, 417, "The request expects something that this server does not do."},
    {Cause::kBadRequest, 501,
     "The request uses a method or a transfer coding that this server does not know."},
    {Cause::kBadRequest, 505, "The request uses a version of HTTP that this server does not speak."},
    {Cause::kBadRequest, 0, "The request was not understood, because it breaks a rule of HTTP."},
    {Cause::kNoRoute, 0, "There is nothing at this address."},
    {Cause::kClientTimeout, 0, "The request did not arrive in time."},
    {Cause::kTooLarge, 413, "The request is larger than this site allows."},
    {Cause::kTooLarge, 414, "The address of the request is too long."},
    {Cause::kTooLarge, 0, "The header of the request is too large."},
    {Cause::kNoHost, 0, "There is no site of this name here."},
    {Cause::kRate, 0, "There were too many requests. Please wait a moment."},
    {Cause::kWorkerGone, 0, "The application stopped while it worked on this request."},
    {Cause::kBadResponse, 0, "The application's answer was not valid."},
    {Cause::kAppError, 0, "The application failed while it answered. Its log says why."},
    {Cause::kQueueFull, 0, "The site is very busy. Please try again in a moment."},
    {Cause::kQueueTimeout, 0, "The site is very busy and did not get to this request in time."},
    {Cause::kBackoff, 0, "The application is failing to start. It is tried again shortly."},
    {Cause::kStopped, 0, "The site has been switched off."},
    {Cause::kSuspended, 0, "This site is suspended. If it is yours, please ask your hosting provider."},
    {Cause::kRequestTimeout, 0, "The application took too long to answer."},
    {Cause::kForbidden, 404, "There is no such file here."},
    {Cause::kForbidden, 405, "Files can be fetched here, and nothing else."},
    {Cause::kFileMode, 0, "This file is not public."},
    {Cause::kFileOwner, 0, "This file is not public."},
    {Cause::kFileLinks, 0, "This file is not public."},
    {Cause::kConnections, 0, "There are too many visitors at the moment. Please try again soon."},
    {Cause::kSpool, 0, "The server could not read back what you sent. Please try again."},
    {Cause::kForbidden, 0, "This file is not public."},
    {Cause::kNone, 500, "The application failed while it worked on this request."},
    {Cause::kNone, 502, "The application did not answer properly."},
    {Cause::kNone, 503, "The site cannot answer at the moment. Please try again soon."},
});

std::string_view sentence_of(Cause cause, std::uint16_t status) {
  const auto fits = [cause, status](const Sentence& sentence) {
    return sentence.cause == cause && (sentence.status == status || sentence.status == 0);
  };
  const auto found = std::find_if(kSentences.begin(), kSentences.end(), fits);
  return found != kSentences.end() ? found->text : "The request could not be answered.";
}

constexpr std::string_view kStyle =
    "body{font:17px/1.5 system-ui,sans-serif;color:#333;background:#fafafa;margin:0}"
    "main{max-width:34em;margin:18vh auto 0;padding:0 1.5em}"
    "h1{font-size:1.5em;font-weight:600;margin:0 0 .5em}"
    "small{color:#777;font-family:ui-monospace,monospace}";

using HexId = std::array<char, 16>;

HexId hex_id(std::uint64_t id) {
  HexId digits;
  for (std::size_t i = digits.size(); i-- > 0; id >>= 4) digits[i] = "0123456789abcdef"[id & 0xf];
  return digits;
}
std::string_view text_of(const HexId& id) { return {id.data(), id.size()}; }

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

std::string html_body(const ErrorAnswer& answer) {
  const bool suspended = answer.cause == Cause::kSuspended;
  const std::string_view reason = suspended ? "Site suspended" : standard_reason(answer.status);
  std::string body =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>";
  body.append(reason).append("</title><style>").append(kStyle).append("</style></head>\n<body><main><h1>");
  body.append(reason)
      .append("</h1><p>")
      .append(sentence_of(answer.cause, answer.status))
      .append("</p><p><small>");
  append_number(body, answer.status);
  if (answer.cause != Cause::kNone) body.append(" &middot; ").append(cause_name(answer.cause));
  if (answer.error_id != 0) body.append(" &middot; error ").append(text_of(hex_id(answer.error_id)));
  body.append("</small></p></main></body></html>\n");
  return body;
}

std::string json_body(const ErrorAnswer& answer) {
  std::string body = "{\"error\":{\"status\":";
  append_number(body, answer.status);
  if (answer.cause != Cause::kNone) body.append(",\"code\":\"").append(cause_name(answer.cause)).append("\"");
  body.append(",\"message\":\"").append(sentence_of(answer.cause, answer.status)).append("\"");
  if (answer.error_id != 0) body.append(",\"id\":\"").append(text_of(hex_id(answer.error_id))).append("\"");
  if (answer.retry_after_s != 0) {
    body.append(",\"retry_after_s\":");
    append_number(body, answer.retry_after_s);
  }
  body.append("}}\n");
  return body;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_refusal_fields(std::string& out, const ErrorAnswer& answer) {
  if (answer.cause != Cause::kNone) append_field(out, "Rowhouse-Cause", cause_name(answer.cause));
  if (answer.error_id != 0) append_field(out, "Rowhouse-Error", text_of(hex_id(answer.error_id)));
  if (answer.retry_after_s != 0) append_field(out, "Retry-After", std::to_string(answer.retry_after_s));
  if (answer.status == 405) {
    append_field(out, "Allow",
                 answer.cause == Cause::kForbidden ? "GET, HEAD"
                                                   : "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
  }
}

}  // namespace

void append_error_answer(std::string& out, const ErrorAnswer& answer) {
  const bool own_page = answer.page != nullptr && !answer.json;
  const std::string body = own_page ? *answer.page : answer.json ? json_body(answer) : html_body(answer);
  out.append("HTTP/1.1 ");
  append_number(out, answer.status);
  out.append(" ").append(standard_reason(answer.status)).append("\r\n");
  append_field(out, "Date", answer.date);
  append_field(out, "Server", "Rowhouse");
  append_field(out, "Content-Type", answer.json ? "application/json" : "text/html; charset=utf-8");
  append_field(out, "Content-Length", std::to_string(body.size()));
  append_field(out, "Cache-Control", "no-store");
  append_field(out, "X-Content-Type-Options", "nosniff");
  if (!own_page) append_field(out, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
  append_refusal_fields(out, answer);
  append_field(out, "Connection", answer.close ? "close" : "keep-alive");
  out.append("\r\n");
  if (!answer.head_only) out.append(body);
}

bool prefers_json(std::string_view accept) {
  bool json = false;
  bool html = false;
  for_each_element(accept, [&](std::string_view range) {
    const std::string_view type = trim_blanks(range.substr(0, range.find(';')));
    const std::string_view suffix = type.substr(type.size() - std::min<std::size_t>(type.size(), 5));
    json = json || equals_lower(type, "application/json") || equals_lower(suffix, "+json");
    html = html || equals_lower(type, "text/html");
  });
  return json && !html;
}

std::uint64_t next_error_id() {
  std::uint64_t id = 0;
  // At most 256 bytes are never delivered in part (getrandom(2)).
  while (id == 0) {
    if (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) std::abort();
  }
  return id;
}

}  // namespace rowhouse::gateway
