#include <doctest/doctest.h>

#include <set>

#include "gateway/error_answer.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

ErrorAnswer busy() {
  ErrorAnswer answer;
  answer.status = 503;
  answer.cause = proto::Cause::kBackoff;
  answer.error_id = 0x00c0ffee12345678;
  answer.retry_after_s = 7;
  answer.date = kDate;
  return answer;
}
std::string text_of(const ErrorAnswer& answer) {
  std::string out = "before";
  append_error_answer(out, answer);
  REQUIRE(out.starts_with("before"));
  return out.substr(6);
}
bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
std::string body_of(const std::string& text) { return text.substr(text.find("\r\n\r\n") + 4); }

TEST_CASE("an error answer is a whole response with its cause") {
  const std::string text = text_of(busy());
  CHECK(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  for (const std::string_view field :
       {"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "\r\nServer: Rowhouse\r\n",
        "\r\nRowhouse-Cause: RH-BACKOFF\r\n", "\r\nRowhouse-Error: 00c0ffee12345678\r\n",
        "\r\nRetry-After: 7\r\n", "\r\nCache-Control: no-store\r\n", "\r\nConnection: keep-alive\r\n",
        "\r\nContent-Type: text/html; charset=utf-8\r\n"}) {
    CAPTURE(field);
    CHECK(contains(text, field));
  }
  CHECK(contains(text, "\r\nContent-Length: " + std::to_string(body_of(text).size()) + "\r\n"));
  CHECK(contains(body_of(text), "00c0ffee12345678"));
  CHECK(contains(body_of(text), "RH-BACKOFF"));
}

TEST_CASE("the answer to HEAD has the length and no body") {
  ErrorAnswer answer = busy();
  const std::string whole = text_of(answer);
  answer.head_only = true;
  CHECK(text_of(answer) == whole.substr(0, whole.size() - body_of(whole).size()));
}

TEST_CASE("programs get JSON") {
  ErrorAnswer answer = busy();
  answer.json = true;
  answer.close = true;
  const std::string text = text_of(answer);
  CHECK(contains(text, "\r\nContent-Type: application/json\r\n"));
  CHECK(contains(text, "\r\nConnection: close\r\n"));
  CHECK(
      body_of(text) ==
      "{\"error\":{\"status\":503,\"code\":\"RH-BACKOFF\",\"message\":\"The application is failing to start. "
      "It is tried again shortly.\",\"id\":\"00c0ffee12345678\",\"retry_after_s\":7}}\n");
}

TEST_CASE("what is not known is not said") {
  const std::string text = text_of({.status = 500, .date = kDate});
  CHECK_FALSE(contains(text, "Rowhouse-"));
  CHECK_FALSE(contains(text, "Retry-After"));
  CHECK_FALSE(contains(text, "RH-"));
}

TEST_CASE("a 405 names the methods that may be used") {
  CHECK(contains(text_of({.status = 405, .cause = proto::Cause::kForbidden, .date = kDate}),
                 "\r\nAllow: GET, HEAD\r\n"));
  CHECK(contains(text_of({.status = 405, .cause = proto::Cause::kBadRequest, .date = kDate}),
                 "\r\nAllow: GET, HEAD, POST,"));
  CHECK_FALSE(contains(text_of(busy()), "Allow:"));
}

TEST_CASE("every refusal has a sentence of its own") {
  struct Refusal {
    std::uint16_t status;
    proto::Cause cause;
  };
  using enum proto::Cause;
  constexpr Refusal kRefusals[] = {
      {400, kBadRequest}, {405, kBadRequest},  {417, kBadRequest},    {501, kBadRequest},
      {505, kBadRequest}, {404, kNoRoute},     {408, kClientTimeout}, {413, kTooLarge},
      {414, kTooLarge},   {431, kTooLarge},    {421, kNoHost},        {429, kRate},
      {502, kWorkerGone}, {502, kBadResponse}, {503, kQueueFull},     {503, kQueueTimeout},
      {503, kBackoff},    {503, kStopped},     {503, kSuspended},     {504, kRequestTimeout},
      {403, kForbidden},  {404, kForbidden},   {405, kForbidden},     {500, kNone},
      {502, kNone},       {503, kNone}};
  std::set<std::string> sentences;
  for (const Refusal& refusal : kRefusals) {
    const std::string text =
        text_of({.status = refusal.status, .cause = refusal.cause, .json = true, .date = kDate});
    const std::size_t begin = text.find("\"message\":\"") + 11;
    sentences.insert(text.substr(begin, text.find('"', begin) - begin));
    CHECK_FALSE(contains(text, "Unknown"));
  }
  CHECK(sentences.size() == std::size(kRefusals));
}

TEST_CASE("JSON is given to those who ask for it and not for HTML") {
  for (const std::string_view accept : {"application/json", "Application/JSON;q=0.9, */*",
                                        "application/problem+json", "text/plain, application/json"}) {
    CAPTURE(accept);
    CHECK(prefers_json(accept));
  }
  for (const std::string_view accept :
       {"", "*/*", "text/html", "text/html,application/json", "application/jsonx", "json", "application/*"}) {
    CAPTURE(accept);
    CHECK_FALSE(prefers_json(accept));
  }
}

TEST_CASE("error ids differ and are never 0") {
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(next_error_id());
  CHECK(ids.size() == 1000);
  CHECK_FALSE(ids.contains(0));
}

}  // namespace
}  // namespace rowhouse::gateway
