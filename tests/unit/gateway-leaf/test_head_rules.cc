#include <doctest/doctest.h>

#include <array>

#include "gateway/head_rules.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using Room = std::array<HeadField, proto::kMaxFields>;

CheckedHead accept(std::string_view block, Room& room) {
  const auto checked = check_head(block, room);
  REQUIRE(std::holds_alternative<CheckedHead>(checked));
  return std::get<CheckedHead>(checked);
}

TEST_CASE("a head is taken apart as it was sent") {
  Room room;
  const CheckedHead head = accept(
      "\r\nPOST /a%20b?c=d?e HTTP/1.1\r\nHost: Acme.Example:8080\r\nX-A:  v w\t \r\nX_b:\r\nContent-Length: "
      "7\r\n\r\n",
      room);
  CHECK(head.method == "POST");
  CHECK(head.target == "/a%20b?c=d?e");
  CHECK(head.path == "/a%20b");
  CHECK(head.query == "c=d?e");
  CHECK(head.authority == "Acme.Example:8080");
  CHECK(head.version == 11);
  CHECK(head.content_length == 7);
  REQUIRE(head.fields.size() == 4);
  CHECK(head.fields[1].name == "X-A");
  CHECK(head.fields[1].value == "v w");
  CHECK(head.fields[2].name == "X_b");
  CHECK(head.fields[2].value.empty());
}

TEST_CASE("an absolute target gives path, query and authority") {
  Room room;
  CheckedHead head = accept("GET http://B.example:80/x/?q HTTP/1.1\r\nHost: b.example.\r\n\r\n", room);
  CHECK(head.target == "http://B.example:80/x/?q");
  CHECK(head.path == "/x/");
  CHECK(head.query == "q");
  CHECK(head.authority == "B.example:80");
  head = accept("GET http://b?q HTTP/1.1\r\nHost: b\r\n\r\n", room);
  CHECK(head.path == "/");
  CHECK(head.query == "q");
  head = accept("OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n", room);
  CHECK(head.asterisk);
  head = accept("OPTIONS http://b/ HTTP/1.1\r\nHost: b\r\n\r\n", room);
  CHECK_FALSE(head.asterisk);
}

TEST_CASE("OPTIONS * asks about the server") {
  Room room;
  CHECK(accept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", room).asterisk);
}

TEST_CASE("HTTP/1.0 may come without Host and has no authority then") {
  Room room;
  const CheckedHead head = accept("GET / HTTP/1.0\r\n\r\n", room);
  CHECK(head.version == 10);
  CHECK(head.authority.empty());
}

TEST_CASE("the connection lives on when the version and the client want it") {
  struct Case {
    const char* version;
    const char* fields;
    bool keep_alive;
  };
  constexpr std::array<Case, 9> kCases = {{
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: X, CLOSE\r\n", false},
      {"1.1", "Connection: x\r\nConnection: Close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
      {"1.0", "Keep-Alive: timeout=5\r\n", false},
  }};
  for (const Case& item : kCases) {
    CAPTURE(item.version);
    CAPTURE(item.fields);
    Room room;
    const std::string block =
        std::string("GET / HTTP/") + item.version + "\r\nHost: a\r\n" + item.fields + "\r\n";
    CHECK(accept(block, room).keep_alive == item.keep_alive);
  }
}

TEST_CASE("100-continue counts only in HTTP/1.1 and with a body") {
  Room room;
  CHECK(accept("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n", room)
            .expect_continue);
  CHECK(
      accept("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", room)
          .expect_continue);
  CHECK_FALSE(accept("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", room)
                  .expect_continue);
  CHECK_FALSE(accept("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", room).expect_continue);
  CHECK_FALSE(
      accept("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", room).expect_continue);
}

TEST_CASE("the end of a value is found at every byte and every position") {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t position = 0; position < 24; ++position) {
      for (const char filler : {'a', '\x20', '\x80', '\xff', '\t', '\x7e'}) {
        std::string text(24, filler);
        text[position] = static_cast<char>(byte);
        REQUIRE(count_value_bytes(text) == count_leading(kValueBytes, text));
      }
    }
  }
}

TEST_CASE("refusals name their cause") {
  Room room;
  const auto cause = [&](std::string_view block) {
    return std::get<HeadRefusal>(check_head(block, room)).cause;
  };
  CHECK(cause("GET / HTTP/2.0\r\n\r\n") == proto::Cause::kBadRequest);
  CHECK(cause("GET / HTTP/1.1\r\n\r\n") == proto::Cause::kBadRequest);
  const std::string long_line(kMaxRequestLineBytes + 1, 'G');
  CHECK(std::get<HeadRefusal>(find_head_end(long_line, 0)).cause == proto::Cause::kTooLarge);
}

TEST_CASE("a block without its end, or with bytes after it, is refused") {
  Room room;
  for (const std::string_view block :
       {"", "\r\n", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.0\r\nX: y\r\n",
        "GET / HTTP/1.0\r\n\r", "GET / HTTP/1.0\r\n\r\nx"}) {
    CAPTURE(block);
    CHECK(std::holds_alternative<HeadRefusal>(check_head(block, room)));
  }
}

TEST_CASE("more fields than there is room for are refused") {
  std::array<HeadField, 1> room;
  const auto checked = check_head("GET / HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n", room);
  CHECK(std::get<HeadRefusal>(checked).status == 431);
}

TEST_CASE("fields that a worker must not see are dropped") {
  for (const std::string_view name : {"connection",
                                      "keep-alive",
                                      "proxy-connection",
                                      "te",
                                      "trailer",
                                      "transfer-encoding",
                                      "upgrade",
                                      "http2-settings",
                                      "proxy-authorization",
                                      "content-length",
                                      "host",
                                      "expect",
                                      "proxy",
                                      "forwarded",
                                      "x-forwarded",
                                      "x-forwarded-for",
                                      "x-forwarded-proto",
                                      "x-forwarded-host",
                                      "x-forwarded-ssl",
                                      "x-forwarded-port",
                                      "x-forwarded-https",
                                      "x-forwarded-scheme",
                                      "x-forwarded-server",
                                      "x-forwarded-script-name",
                                      "x-real-ip",
                                      "x-client-ip",
                                      "x-cluster-client-ip",
                                      "x-scheme",
                                      "x-https",
                                      "x-script-name",
                                      "script_name",
                                      "remote_user",
                                      "http_host",
                                      "x_forwarded_for",
                                      "_"}) {
    CAPTURE(name);
    CHECK(is_dropped_request_field(name));
  }
  for (const std::string_view name :
       {"cookie", "accept", "user-agent", "authorization", "content-type", "x-request-id", "x-forwarder",
        "hosts", "via", "range", "origin", "uwsgi.file"}) {
    CAPTURE(name);
    CHECK_FALSE(is_dropped_request_field(name));
  }
}

TEST_CASE("the host of an authority is bare and in lower case") {
  std::string host;
  const auto of = [&](std::string_view authority) { return host_of_authority(authority, host) ? host : "-"; };
  CHECK(of("Acme.EXAMPLE:8080") == "acme.example");
  CHECK(of("acme.example.") == "acme.example");
  CHECK(of("acme.example.:80") == "acme.example");
  CHECK(of("127.0.0.1") == "127.0.0.1");
  CHECK(of("[2001:DB8::1]:443") == "[2001:db8::1]");
  CHECK(of(std::string(63, 'a') + ".b") == std::string(63, 'a') + ".b");
  for (const std::string& bad :
       {std::string(), std::string("."), std::string("a.."), std::string(64, 'a'), std::string("a:"),
        std::string("a:65536"), std::string("a:-1"), std::string("[]"), std::string("[::1]:"),
        std::string("::1"), std::string("[::1\0]", 6), std::string("[fe80::1%eth0]"),
        std::string("[127.0.0.1]")}) {
    CAPTURE(bad);
    CHECK(of(bad) == "-");
  }
  std::string longest;
  while (longest.size() < 250) longest += "aa.";
  CHECK(of(longest + "a") == longest + "a");  // 253
  CHECK(of(longest + "aa.a") == "-");
}

}  // namespace
}  // namespace rowhouse::gateway
