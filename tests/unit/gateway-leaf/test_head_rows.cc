// The cases of HTTP/1.1 that a head can show, as data: what arrives, and the one right answer.  Each is tried
// whole, byte by byte, in pieces, and glued to a following request.
#include <doctest/doctest.h>

#include <vector>

#include "gateway/path.h"
#include "tests/unit/gateway-leaf/head_verdict.h"

namespace rowhouse::gateway {
namespace {

using namespace std::string_literals;

struct Row {
  const char* id;
  std::string input;
  std::string expected;
};

// A whole head around some field lines, or around a request line.
std::string post(const std::string& fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string fields(const std::string& lines) { return "GET / HTTP/1.1\r\n" + lines + "\r\n"; }
std::string old(const std::string& lines) { return "POST / HTTP/1.0\r\n" + lines + "\r\n"; }
std::string line(const std::string& text) { return text + "\r\nHost: a\r\n\r\n"; }
std::string target(const std::string& text) { return line("GET " + text + " HTTP/1.1"); }
std::string method(const std::string& text) { return line(text + " / HTTP/1.1"); }
std::string host(const std::string& value) { return fields("Host: " + value + "\r\n"); }
std::string length(const std::string& value) { return post("Content-Length: " + value + "\r\n"); }
std::string coding(const std::string& value) { return post("Transfer-Encoding: " + value + "\r\n"); }
std::string many_fields(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": v\r\n";
  return lines;
}
std::string field_of(std::size_t line_bytes) { return "X: " + std::string(line_bytes - 3, 'v') + "\r\n"; }
// A request line of so many bytes.
std::string request_line_of(std::size_t bytes) { return target("/" + std::string(bytes - 14, 'a')); }

const std::vector<Row> kRows = {
    {"H01", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H02", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "400"},
    {"H02", post("Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 0\r\n"), "400"},
    {"H02", post("X: y\r\n Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H03", post("Content-Length: 5\r\nContent-Length: 6\r\n"), "400"},
    {"H04", post("Content-Length: 5\r\nContent-Length: 5\r\n"), "400"},
    {"H04", length("5, 5"), "400"},
    {"H05", length("-1"), "400"},
    {"H05", length("+5"), "400"},
    {"H05", length("5 5"), "400"},
    {"H05", length("0x10"), "400"},
    {"H05", length("1_0"), "400"},
    {"H05", length("5.0"), "400"},
    {"H05", length("1e3"), "400"},
    {"H05", length(""), "400"},
    {"H05", length("5 "), "ok length 5"},
    {"H05", length("\t 5"), "ok length 5"},
    {"H05", length("5\t"), "400"},
    {"H05", length("5 \t "), "400"},
    {"H05", length("\xb2"), "400"},
    {"H06", length("010"), "400"},
    {"H06", length("000005"), "400"},
    {"H06", length("00"), "400"},
    {"H06", length("0"), "ok length 0"},
    {"H07", length("18446744073709551616"), "400"},
    {"H07", length("18446744073709551615"), "400"},
    {"H07", length("9223372036854775808"), "400"},
    {"H07", length("9223372036854775807"), "ok length 9223372036854775807"},
    {"H07", length("123456789012345678901234567890"), "400"},
    {"H09", coding("chunked, chunked"), "400"},
    {"H09", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H09", post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H10", coding("xchunked"), "501"},
    {"H10", coding("identity"), "501"},
    {"H10", coding("gzip"), "501"},
    {"H10", coding("gzip, chunked"), "501"},
    {"H10", coding("chunked, gzip"), "400"},
    {"H10", coding("chunked, identity"), "400"},
    {"H10", coding("chunke"), "501"},
    {"H11", coding("\tchunked"), "ok chunked"},
    {"H11", coding("chunked "), "ok chunked"},
    {"H11", coding("chunked   "), "ok chunked"},
    {"H11", coding("chunked\t"), "400"},
    {"H11", coding("chunked \t "), "400"},
    {"H11", coding("Chunked"), "ok chunked"},
    {"H11", post("tRANSFER-eNCODING:CHUNKED\r\n"), "ok chunked"},
    {"H11", post("Transfer-Encoding: \tChunked \r\nContent-Length: 5\r\n"), "400"},
    {"H12", coding(",chunked"), "400"},
    {"H12", coding("chunked,"), "400"},
    {"H12", coding(""), "400"},
    {"H12", coding("chunked;a=b"), "400"},
    {"H12", coding("\"chunked\""), "400"},
    {"H12",
     coding("\x0b"
            "chunked"),
     "400"},
    {"H12",
     coding("\x0c"
            "chunked"),
     "400"},
    {"H12",
     coding("\xa0"
            "chunked"),
     "400"},
    {"H12", coding("chunked\x11"), "400"},
    {"H12", coding("\0chunked"s), "400"},
    {"H12", coding("chun ked"), "400"},
    {"H13", post("Transfer-Encoding : chunked\r\n"), "400"},
    {"H13", post("Transfer-Encoding\t: chunked\r\n"), "400"},
    {"H13", post("Content-Length : 3\r\n"), "400"},
    {"H14", old("Transfer-Encoding: chunked\r\n"), "400"},
    {"H14", old("Transfer-Encoding: identity\r\n"), "400"},
    {"H15", post("Transfer_Encoding: chunked\r\n"), "ok"},
    {"H15", post("Content_Length: 5\r\n"), "ok"},
    {"H15", post("Transfer_Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H15", post("Transfer-Encoding: chunked\r\ntransfer_encoding: x\r\n"), "400"},
    {"H15", post("Content-Length: 5\r\nCONTENT_LENGTH: 5\r\n"), "400"},
    {"H15", post("Content_Length: 6\r\nContent-Length: 5\r\n"), "400"},
    {"H16", post("X_Forwarded_For: 1.2.3.4\r\n"), "ok"},
    {"H17", fields(" Host: a\r\n"), "400"},
    {"H17", fields("\tX: y\r\nHost: a\r\n"), "400"},
    {"H17", fields("Host: a\r\nX: y\r\n z\r\n"), "400"},
    {"H17", fields("Host: a\r\nX: y\r\n\tz\r\n"), "400"},
    {"H17", fields("Host: a\r\nX: y\r\n \r\n"), "400"},
    {"H18", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400"},
    {"H18", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400"},
    {"H18", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400"},
    {"H18", "GET / HTTP/1.1\nHost: a\n\n", "400"},
    {"H18", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
    {"H19", fields("Host: a\r\nX\r: y\r\n"), "400"},
    {"H19", fields("Host: a\r\nX: y\rz\r\n"), "400"},
    {"H19", fields("Host: a\r\nX: y\r\r\n"), "400"},
    {"H19", line("GET /\r HTTP/1.1"), "400"},
    {"H19", line("GET / HTTP/1.1\r"), "400"},
    {"H20", fields("Host: a\r\nX: a\0b\r\n"s), "400"},
    {"H20", fields("Host: a\r\nX: a\x01\r\n"), "400"},
    {"H20", fields("Host: a\r\nX: \x1f\r\n"), "400"},
    {"H20", fields("Host: a\r\nX: a\x7f\r\n"), "400"},
    {"H20", fields("Host: a\r\nX: a\tb\r\n"), "ok"},
    {"H21", fields("Host: a\r\nX: \x80\xff\r\n"), "ok"},
    {"H22", fields("Host: a\r\nX Y: z\r\n"), "400"},
    {"H22", fields("Host: a\r\nX(: z\r\n"), "400"},
    {"H22", fields("Host: a\r\nX\x80: z\r\n"), "400"},
    {"H22", fields("Host: a\r\nX\0: z\r\n"s), "400"},
    {"H22", fields("Host: a\r\n: x\r\n"), "400"},
    {"H22", fields("Host: a\r\nnocolon\r\n"), "400"},
    {"H22", fields("Host: a\r\n!#$%&'*+-.^`|~09: x\r\n"), "ok"},
    {"H31", fields("X: y\r\n"), "400"},
    {"H31", fields("Host: a\r\nHost: a\r\n"), "400"},
    {"H31", fields("Host: a\r\nhOST: b\r\n"), "400"},
    {"H31", host("a, b"), "400"},
    {"H31", host("a b"), "400"},
    {"H31", host("a@b"), "400"},
    {"H31", host("a/b"), "400"},
    {"H31", host("a\0b"s), "400"},
    {"H31", host("a?b"), "400"},
    {"H31", host("a:b"), "400"},
    {"H31", host("a:80:80"), "400"},
    {"H31", host("a:99999"), "400"},
    {"H31", host("a:"), "400"},
    {"H31", host("a..b"), "400"},
    {"H31", host(".a"), "400"},
    {"H31", host("a%20b"), "400"},
    {"H31", host("\xc3\xa4"), "400"},
    {"H31", host("*.a"), "400"},
    {"H31", host("[::1"), "400"},
    {"H31", host("[::g]"), "400"},
    {"H31", host("[::1]x"), "400"},
    {"H31", host("[::1]:8080"), "ok"},
    {"H31", host("127.0.0.1:8080"), "ok"},
    {"H31", host("Acme.Example.:80"), "ok"},
    {"H31", host("under_score.example"), "ok"},
    {"H31", old(""), "ok"},
    {"H31", old("Host: a b\r\n"), "400"},
    {"H32", host(""), "400"},
    {"H32", old("Host:\r\n"), "400"},
    {"H32", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", "ok"},
    {"H34", target("http://a/"), "ok"},
    {"H34", target("HTTP://A:80/x?y"), "ok"},
    {"H34", target("http://a"), "ok"},
    {"H34", target("http://a?x=1"), "ok"},
    {"H34", "GET http://a/ HTTP/1.0\r\n\r\n", "ok"},
    {"H34", "GET http://a/ HTTP/1.1\r\n\r\n", "400"},
    {"H35", target("http://b/"), "400"},
    {"H35", target("http://a:81/"), "400"},
    {"H35", target("https://a/"), "400"},
    {"H35", target("http://u@a/"), "400"},
    {"H35", target("http://u:p@a/"), "400"},
    {"H35", target("http:///"), "400"},
    {"H35", target("http://"), "400"},
    {"H35", target("http:/a/"), "400"},
    {"H35", target("ftp://a/"), "400"},
    {"H36", target("a:80"), "400"},
    {"H36", target("foo/bar"), "400"},
    {"H36", target("*"), "400"},
    {"H36", target("?x"), "400"},
    {"H36", line("OPTIONS ** HTTP/1.1"), "400"},
    {"H37", line("CONNECT a:80 HTTP/1.1"), "405"},
    {"H37", line("CONNECT / HTTP/1.1"), "405"},
    {"H38", line("OPTIONS * HTTP/1.1"), "ok"},
    {"H38", "OPTIONS * HTTP/1.1\r\n\r\n", "400"},
    {"H39", target("/a#b"), "400"},
    {"H39", target("/a b"), "400"},
    {"H39", target("/a\x01"), "400"},
    {"H39", target("/a\tb"), "400"},
    {"H39", target("/a\0b"s), "400"},
    {"H39", target("/a\x7f"), "400"},
    {"H39", target("/\x80"), "400"},
    {"H39", target("/?\xff"), "400"},
    {"H39", target("/\"<>\\^`{|}"), "ok"},
    {"H39", target("/?\"<>\\^`{|}"), "ok"},
    {"H40", target("//"), "ok"},
    {"H40", target("/a;x/+"), "ok"},
    {"H40", target("/a/../b"), "ok"},
    {"H40", target("/%2fa%2F"), "ok"},
    {"H40", target("/.."), "400"},
    {"H40", target("/a/../../b"), "400"},
    {"H40", target("/%2e%2e"), "400"},
    {"H40", target("/a/..%2f.."), "400"},
    {"H40", target("/%00"), "400"},
    {"H40", target("/a%00.css"), "400"},
    {"H40", target("/%"), "400"},
    {"H40", target("/%4"), "400"},
    {"H40", target("/%zz"), "400"},
    {"H41", method("get"), "501"},
    {"H41", method("Get"), "501"},
    {"H41", method("BREW"), "501"},
    {"H41", method(std::string(33, 'A')), "501"},
    {"H41", method("PLAY"), "501"},
    {"H41", method("G=\":<>\""), "400"},
    {"H41", method("G\x80T"), "400"},
    {"H41", method(""), "400"},
    {"H41", method("M-SEARCH"), "ok"},
    {"H41", method("PROPFIND"), "ok"},
    {"H42", "GET /\r\n", "400"},
    {"H42", line("GET /"), "400"},
    {"H42", line("GET / HTTP/0.9"), "400"},
    {"H42", line("GET / HTTP/1.2"), "400"},
    {"H42", line("GET / HTTP/2.0"), "505"},
    {"H42", line("GET / HTTP/3.7"), "505"},
    {"H42", line("GET / HTTP/2"), "400"},
    {"H42", line("GET / HTTP/1.32"), "400"},
    {"H42", line("GET / HTTP/111"), "400"},
    {"H42", line("GET / HTTP/1."), "400"},
    {"H42", line("GET / HTTP/99999999999999999999.1"), "400"},
    {"H42", line("GET / HTTP/1.1x"), "400"},
    {"H42", line("GET / http/1.1"), "400"},
    {"H42", line("GET / HTTPS/1.1"), "400"},
    {"H42", line("GET / ICY/1.1"), "400"},
    {"H43", line("GET  / HTTP/1.1"), "400"},
    {"H43", line("GET /  HTTP/1.1"), "400"},
    {"H43", line("GET\t/ HTTP/1.1"), "400"},
    {"H43", line("GET /\tHTTP/1.1"), "400"},
    {"H43", line("GET /\x0bHTTP/1.1"), "400"},
    {"H43", line("GET / HTTP/1.1 "), "400"},
    {"H43", line(" GET / HTTP/1.1"), "400"},
    {"H43", line("GET"), "400"},
    {"H43", "\r\n" + line("GET / HTTP/1.1"), "ok"},
    {"H43", "\r\n\r\n" + line("GET / HTTP/1.1"), "400"},
    {"H43", "\r\r\n" + line("GET / HTTP/1.1"), "400"},
    {"H44", request_line_of(kMaxRequestLineBytes), "ok"},
    {"H44", request_line_of(kMaxRequestLineBytes + 1), "414"},
    {"H44", std::string(100'000, 'G'), "414"},
    {"H45", fields("Host: a\r\n" + field_of(kMaxFieldLineBytes)), "ok"},
    {"H45", fields("Host: a\r\n" + field_of(kMaxFieldLineBytes + 1)), "431"},
    {"H45", fields("Host: a\r\nX: " + std::string(100'000, 'v')), "431"},
    {"H45", fields("Host: a\r\n" + many_fields(99)), "ok"},
    {"H45", fields("Host: a\r\n" + many_fields(100)), "431"},
    {"H45", fields("Host: a\r\n" + field_of(16'000) + field_of(16'000) + field_of(16'000) + field_of(16'000)),
     "ok"},
    {"H45", fields("Host: a\r\n" + field_of(16'380) + field_of(16'380) + field_of(16'380) + field_of(16'380)),
     "431"},
    {"H53", fields("Host: a\r\nContent-Length: 5\r\n"), "ok length 5"},
    {"H55", post("Expect: 100-continue\r\nContent-Length: 5\r\n"), "ok length 5"},
    {"H55", post("Expect: x\r\nContent-Length: 5\r\n"), "417"},
    {"H55", post("Expect: 100-continue, x\r\n"), "417"},
    {"H55", post("Expect: 100-Continue\r\nContent-Length: 0\r\n"), "ok length 0"},
    {"H56", fields("Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), "ok"},
    {"H56", fields("Host: a\r\nUpgrade: websocket\r\n"), "ok"},
    {"H56", "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "ok"},
    {"H56", post("Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n"), "400"},
    {"H56", post("Upgrade: x, WebSocket/13\r\nTransfer-Encoding: chunked\r\n"), "400"},
    {"H57", post("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n"), "ok"},
    {"H57", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
    {"H59", fields("Host: a\r\nConnection: close, X-Forwarded-For, Host, Content-Length\r\n"), "ok"},
    {"H60", fields("Host: a\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"), "ok"},
    {"H62", fields("Host: a\r\nProxy: http://evil\r\n"), "ok"},
    {"H63", fields("Host: a\r\nSCRIPT_NAME: /x\r\nUWSGI_FILE: /y\r\nuwsgi.file: z\r\n"), "ok"},
    {"H64", "PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n" + line("GET / HTTP/1.1"), "400"},
    {"H64", "\r\n\r\n\0\r\nQUIT\n"s, "400"},
    {"H65", post("Content-Type: a/b\r\nContent-Type: c/d\r\n"), "400"},
    {"H65", post("Authorization: a\r\nAUTHORIZATION: a\r\n"), "400"},
    {"H65", post("User-Agent: a\r\nX: y\r\nUser-Agent: a\r\n"), "400"},
    {"H65", post("Cookie: a=1\r\nCookie: b=2\r\nAccept: x\r\nAccept: y\r\n"), "ok"},
    {"TLS", "\x16\x03\x01\x02", "400"},
};

// H40 is decided by the path, which the gateway looks at next.
std::string verdict_with_path(std::string_view input, std::size_t piece_bytes) {
  const std::string answer = verdict(input, piece_bytes);
  std::array<HeadField, proto::kMaxFields> room;
  const auto end = find_head_end(input, 0);
  if (answer.substr(0, 2) != "ok" || !std::holds_alternative<std::size_t>(end)) return answer;
  const auto checked = check_head(input.substr(0, std::get<std::size_t>(end)), room);
  const auto& head = std::get<CheckedHead>(checked);
  std::string path;
  return head.asterisk || normalise_path(head.path, path).ok() ? answer : "400";
}

TEST_CASE("every case of the table has its answer, however it is split") {
  const std::string next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const Row& row : kRows) {
    CAPTURE(row.id);
    CAPTURE(row.input.substr(0, 200));
    CHECK(verdict_with_path(row.input, row.input.size()) == row.expected);
    if (row.input.size() < 1000) {
      for (std::size_t piece = 1; piece < row.input.size(); ++piece) {
        REQUIRE(verdict_with_path(row.input, piece) == row.expected);
      }
    } else {
      for (const std::size_t piece : {1U, 7U, 1460U, 8192U}) {
        if (piece == 1 && row.input.size() > 20'000) continue;
        REQUIRE(verdict_with_path(row.input, piece) == row.expected);
      }
    }
    CHECK(verdict_with_path(row.input + next, row.input.size() + next.size()) == row.expected);
  }
}

TEST_CASE("an incomplete head wants more, at every split") {
  const std::string head = "\r\nPOST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    for (std::size_t checked = 0; checked <= size; ++checked) {
      const auto found = find_head_end(std::string_view(head).substr(0, size), checked);
      REQUIRE(std::get<std::size_t>(found) == 0);
    }
  }
  for (std::size_t checked = 0; checked < head.size(); ++checked) {
    REQUIRE(std::get<std::size_t>(find_head_end(head + "hello", checked)) == head.size());
  }
}

TEST_CASE("caps are found while the head is still arriving") {
  const std::string full = "GET / HTTP/1.1\r\n" + many_fields(100);
  const std::string sections = "GET / HTTP/1.1\r\n" + field_of(16'382) + field_of(16'382) + field_of(16'382) +
                               field_of(16'382);  // to the last byte
  for (const std::size_t piece : {std::size_t{100'000}, std::size_t{7}, std::size_t{1}}) {
    CAPTURE(piece);
    CHECK(verdict(full, piece) == "more");
    CHECK(verdict(full + "X", piece) == "431");
    CHECK(verdict(full + "\r\n", piece) == "400");  // no Host
    if (piece == 1) continue;
    CHECK(verdict(sections, piece) == "more");
    CHECK(verdict(sections + "\n", piece) == "431");
    CHECK(verdict(sections + "\r\n", piece) == "431");
  }
}

TEST_CASE("the field section may have exactly its cap") {
  const std::string line = "GET / HTTP/1.1\r\n";
  std::string block = line + "Host: a\r\n";
  while (block.size() - line.size() < kMaxFieldSectionBytes - 20'000) block += field_of(16'000);
  const std::size_t left =
      kMaxFieldSectionBytes - (block.size() - line.size()) - 2;  // for the last field's line
  for (const int more : {-1, 0, 1, 2, 3}) {
    const std::size_t half = left / 2;
    const std::string fields =
        field_of(half - 2) + field_of(static_cast<std::size_t>(static_cast<int>(left - half) - 2 + more));
    const std::string whole = block + fields + "\r\n";
    CAPTURE(more);
    for (const std::size_t piece : {whole.size(), std::size_t{911}, std::size_t{1}}) {
      REQUIRE(verdict(whole, piece) == (more > 0 ? "431" : "ok"));
    }
    if (more == 0) CHECK(whole.size() == line.size() + kMaxFieldSectionBytes);
  }
}

}  // namespace
}  // namespace rowhouse::gateway
