#include <doctest/doctest.h>

#include "control/request_parser.h"

using namespace rowhouse::control;
using Outcome = RequestParser::Outcome;

namespace {

const std::string kPost = "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace

TEST_CASE("a request is the same however its bytes are split") {
  for (std::size_t split = 0; split <= kPost.size(); ++split) {
    RequestParser parser;
    auto fed = parser.feed(std::string_view(kPost).substr(0, split));
    if (split < kPost.size()) {
      REQUIRE(fed.outcome == Outcome::kMore);
      fed = parser.feed(std::string_view(kPost).substr(split));
    }
    REQUIRE(fed.outcome == Outcome::kComplete);
    CHECK(parser.request().method == "POST");
    CHECK(parser.request().target == "/a?b");
    CHECK(parser.request().body == "hello");
    CHECK(parser.request().keep_alive);
  }
}

TEST_CASE("bytes after the end of a request are left to the next one") {
  RequestParser parser;
  const std::string two = kPost + kPost;
  const auto first = parser.feed(two);
  CHECK(first.outcome == Outcome::kComplete);
  CHECK(first.consumed == kPost.size());
  parser.reset();
  CHECK(parser.feed(std::string_view(two).substr(first.consumed)).outcome == Outcome::kComplete);
}

TEST_CASE("a head is refused just beyond its cap, in one piece or many") {
  const auto head_of = [](std::size_t size) {
    return "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(size, 'a') + "\r\n\r\n";
  };
  const std::size_t room = RequestParser::kMaxHeadBytes - std::string("/HostxX").size();
  RequestParser parser;
  CHECK(parser.feed(head_of(room)).outcome == Outcome::kComplete);
  parser.reset();
  CHECK(parser.feed(head_of(room + 1)).outcome == Outcome::kHeadTooLarge);
  parser.reset();
  RequestParser::Fed fed;
  for (const char c : "GET / HTTP/1.1\r\nHost: x\r\nX:" + std::string(20'000, ' ')) {
    fed = parser.feed(std::string_view(&c, 1));
    if (fed.outcome != Outcome::kMore) break;
  }
  CHECK(fed.outcome == Outcome::kHeadTooLarge);
}

TEST_CASE("a body is refused just beyond its cap") {
  const auto post_of = [](std::size_t size) {
    return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'b');
  };
  RequestParser parser;
  CHECK(parser.feed(post_of(RequestParser::kMaxBodyBytes)).outcome == Outcome::kComplete);
  parser.reset();
  CHECK(parser.feed(post_of(RequestParser::kMaxBodyBytes + 1)).outcome == Outcome::kBodyTooLarge);
}

TEST_CASE("HTTP/1.1 needs exactly one Host and HTTP/1.0 none") {
  RequestParser parser;
  CHECK(parser.feed("GET / HTTP/1.1\r\n\r\n").outcome == Outcome::kMalformed);
  parser.reset();
  CHECK(parser.feed("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n").outcome == Outcome::kMalformed);
  parser.reset();
  CHECK(parser.feed("GET / HTTP/1.0\r\n\r\n").outcome == Outcome::kComplete);
  CHECK_FALSE(parser.request().keep_alive);
}

TEST_CASE("an empty field value is counted as a field") {
  RequestParser parser;
  CHECK(parser.feed("GET / HTTP/1.1\r\nHost:\r\nExpect:\r\n\r\n").outcome == Outcome::kExpectation);
}
