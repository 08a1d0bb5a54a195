#include <doctest/doctest.h>

#include <vector>

#include "gateway/response_rules.h"

namespace rowhouse::gateway {
namespace {

using namespace std::string_view_literals;

// "bad", "ok", or "ok 5" with a length.
std::string verdict(std::uint16_t status, std::string_view reason, const std::vector<proto::Field>& fields) {
  const auto checked = check_response({status, reason, fields});
  if (!checked.ok()) return "bad";
  return checked.value().has_length ? "ok " + std::to_string(checked.value().length) : "ok";
}
std::string with_field(std::string_view name, std::string_view value) {
  return verdict(200, "", {{0, name, value}});
}
proto::Field numbered(std::uint8_t number, std::string_view value) {
  return {number, proto::field_name(number), value};
}

TEST_CASE("a status outside 200 to 599 is refused") {
  for (const std::uint16_t status :
       std::initializer_list<std::uint16_t>{0, 99, 100, 101, 199, 600, 1000, 65535}) {
    CHECK(verdict(status, "", {}) == "bad");
  }
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{200, 299, 418, 599}) {
    CHECK(verdict(status, "", {}) == "ok");
  }
}

TEST_CASE("a field name must be a token") {
  for (const std::string_view name :
       {""sv, "a b"sv, "a:b"sv, "a\r"sv, "a\nb"sv, "a\0b"sv, "a\x7f"sv, "\x80"sv, " a"sv, "a "sv, "(a)"sv}) {
    CAPTURE(name);
    CHECK(with_field(name, "x") == "bad");
  }
  CHECK(with_field("X-Custom_1.2", "x") == "ok");
}

TEST_CASE("no control byte but HTAB gets through a value or a reason") {
  for (int byte = 0; byte < 256; ++byte) {
    const char text[] = {'a', static_cast<char>(byte), 'b'};
    const bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    CAPTURE(byte);
    CHECK(with_field("X", {text, 3}) == (allowed ? "ok" : "bad"));
    CHECK(verdict(200, {text, 3}, {}) == (allowed ? "ok" : "bad"));
    CHECK(verdict(200, "", {numbered(proto::kFieldLocation, {text, 3})}) == (allowed ? "ok" : "bad"));
  }
  CHECK(with_field("X", "x\r\nSet-Cookie: a=b") == "bad");
  CHECK(with_field("X", "") == "ok");
}

TEST_CASE("Content-Length is one plain number") {
  CHECK(with_field("Content-Length", "5") == "ok 5");
  CHECK(with_field("content-LENGTH", " 5\t") == "ok 5");
  CHECK(verdict(200, "", {numbered(proto::kFieldContentLength, "0")}) == "ok 0");
  for (const std::string_view value :
       {"-1", "5, 5", "+5", "", "5 5", "0x5", "5.0", "05", "9223372036854775808", "x"}) {
    CAPTURE(value);
    CHECK(with_field("Content-Length", value) == "bad");
    CHECK(verdict(200, "", {numbered(proto::kFieldContentLength, value)}) == "bad");
  }
  CHECK(verdict(200, "", {{0, "Content-Length", "5"}, {0, "content-length", "5"}}) == "bad");
  CHECK(verdict(200, "", {numbered(proto::kFieldContentLength, "5"), {0, "Content-Length", "6"}}) == "bad");
}

TEST_CASE("hop-by-hop fields, framing and the gateway's own are dropped in any letter case") {
  for (const std::string_view name :
       {"Connection", "KEEP-ALIVE", "Proxy-Connection", "te", "Trailer", "Transfer-Encoding", "Upgrade",
        "Content-Length", "Date", "Server", "Rowhouse-Cause", "rowhouse-ERROR", "rowhouse-"}) {
    CAPTURE(name);
    CHECK(is_dropped_response_field(name));
  }
  for (const std::string_view name :
       {"", "Set-Cookie", "Content-Type", "X-Sendfile", "Location", "Rowhouse", "Dat"}) {
    CAPTURE(name);
    CHECK_FALSE(is_dropped_response_field(name));
  }
}

TEST_CASE("a status has its standard phrase") {
  CHECK(standard_reason(200) == "OK");
  CHECK(standard_reason(100) == "Continue");
  CHECK(standard_reason(421) == "Misdirected Request");
  CHECK(standard_reason(511) == "Network Authentication Required");
  CHECK(standard_reason(299) == "Unknown");
  CHECK(standard_reason(65535) == "Unknown");
}

}  // namespace
}  // namespace rowhouse::gateway
