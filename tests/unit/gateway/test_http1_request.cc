#include <doctest/doctest.h>

#include <array>

#include "gateway/http1_request.h"

using namespace rowhouse::gateway;

namespace {

struct Collector final : BodySink {
  std::string bytes;
  void on_body(std::string_view part) override { bytes.append(part); }
};

struct Parsed {
  Http1Request request;
  std::string block;
  std::array<HeadField, 100> room;
  std::optional<HeadRefusal> refusal;
  // The head must be one that check_head accepts.
  void begin(std::string_view head) {
    block.assign(head);
    const auto checked = check_head(block, room);
    REQUIRE(std::holds_alternative<CheckedHead>(checked));
    refusal = request.begin(block, std::get<CheckedHead>(checked));
  }
};

constexpr std::string_view kChunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("a request without a body is complete with its head, many times over") {
  Parsed parsed;
  for (int i = 0; i < 3; ++i) {
    parsed.begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_FALSE(parsed.refusal);
    CHECK(parsed.request.body() == Http1Request::Body::kComplete);
    parsed.begin("GET / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK_FALSE(parsed.refusal);
  }
}

TEST_CASE("a body of known length ends where it must, however it is split") {
  const std::string body = "0123456789";
  const std::string input = body + "GET / HTTP/1.1\r\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    Parsed parsed;
    Collector sink;
    parsed.begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    CHECK(parsed.request.length_left() == 10);
    std::size_t used = 0;
    while (parsed.request.body() == Http1Request::Body::kMore) {
      used += parsed.request.read_body(std::string_view(input).substr(used, size), sink);
    }
    CHECK(used == 10);
    CHECK(sink.bytes == body);
    CHECK(parsed.request.length_left() == 0);
    CHECK(parsed.request.read_body("more", sink) == 0);
  }
}

TEST_CASE("a chunked body is decoded, however it is split") {
  const std::string body = "5;x=1\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-T: 1\r\n\r\n";
  const std::string input = body + "GET / HTTP/1.1\r\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    Parsed parsed;
    Collector sink;
    parsed.begin(kChunkedHead);
    CHECK_FALSE(parsed.request.length_left());
    std::size_t used = 0;
    while (parsed.request.body() == Http1Request::Body::kMore) {
      const std::size_t step = parsed.request.read_body(std::string_view(input).substr(used, size), sink);
      REQUIRE(step > 0);
      used += step;
    }
    CHECK(parsed.request.body() == Http1Request::Body::kComplete);
    CHECK(used == body.size());
    CHECK(sink.bytes == "hello0123456789abcdef");
  }
}

TEST_CASE("a chunked body that breaks a rule is refused, however it is split") {
  const std::string input = "5\r\nhello\r\n5 \r\nhello\r\n0\r\n\r\n";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    Parsed parsed;
    Collector sink;
    parsed.begin(kChunkedHead);
    std::size_t used = 0;
    while (parsed.request.body() == Http1Request::Body::kMore && used < input.size()) {
      used += parsed.request.read_body(std::string_view(input).substr(used, size), sink);
    }
    CHECK(parsed.request.body() == Http1Request::Body::kRefused);
  }
}

TEST_CASE("an Upgrade does not change what follows") {
  Parsed parsed;
  parsed.begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK_FALSE(parsed.refusal);
  CHECK(parsed.request.body() == Http1Request::Body::kComplete);
  parsed.begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_FALSE(parsed.refusal);
}

TEST_CASE("head collection finds the same end at every split") {
  const std::string head = "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  const std::string input = head + "GET /b HTTP/1.1\r\n";
  for (std::size_t cut = 1; cut < input.size(); ++cut) {
    auto found = find_head_end(std::string_view(input).substr(0, cut), 0);
    REQUIRE(std::holds_alternative<std::size_t>(found));
    if (cut >= head.size()) {
      CHECK(std::get<std::size_t>(found) == head.size());
      continue;
    }
    CHECK(std::get<std::size_t>(found) == 0);
    found = find_head_end(input, cut);
    REQUIRE(std::holds_alternative<std::size_t>(found));
    CHECK(std::get<std::size_t>(found) == head.size());
  }
}
