// What is answered for a file that was opened.
#include <doctest/doctest.h>

#include "gateway/static_answer.h"
#include "tests/unit/gateway-leaf/static_site.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kModifiedText = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kNow = "Mon, 07 Nov 1994 08:49:37 GMT";

struct Answer {
  StaticPlan plan;
  std::string text;
  [[nodiscard]] bool has(std::string_view line) const {
    return text.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
  [[nodiscard]] bool has_name(std::string_view name) const {
    return text.find("\r\n" + std::string(name) + ":") != std::string::npos;
  }
};

Answer answer(const StaticFile& file, const std::string& request_line, const std::string& fields = "",
              AfterAnswer after = AfterAnswer::kKeepAlive) {
  std::array<HeadField, proto::kMaxFields> room;
  const std::string block = request_line + "\r\nHost: a\r\n" + fields + "\r\n";
  const auto checked = check_head(block, room);
  REQUIRE(std::holds_alternative<CheckedHead>(checked));
  Answer result;
  result.plan = append_static_head(result.text, file, std::get<CheckedHead>(checked), {kNow, "", after});
  REQUIRE(result.text.starts_with("HTTP/1.1 " + std::to_string(result.plan.status) + " "));
  REQUIRE(result.text.ends_with("\r\n\r\n"));
  return result;
}

const std::string kGet = "GET /a.txt HTTP/1.1";

TEST_CASE("GET gets the whole file, HEAD its head") {
  Site site;
  site.file("a.txt");
  const StaticFile file = site.open("a.txt");
  const Answer get = answer(file, kGet);
  CHECK(get.plan.status == 200);
  CHECK(get.plan.offset == 0);
  CHECK(get.plan.length == 5);
  for (const std::string& line :
       {std::string("Content-Length: 5"), std::string("Content-Type: text/plain; charset=utf-8"),
        std::string("Accept-Ranges: bytes"), std::string("X-Content-Type-Options: nosniff"),
        "Last-Modified: " + std::string(kModifiedText), "Date: " + std::string(kNow), "ETag: " + file.etag,
        std::string("Server: Rowhouse")}) {
    CAPTURE(line);
    CHECK(get.has(line));
  }
  CHECK_FALSE(get.has_name("Connection"));
  const Answer head = answer(file, "HEAD /a.txt HTTP/1.1", "Range: bytes=1-2\r\n");
  CHECK(head.text == get.text);
  CHECK(head.plan.length == 0);
}

TEST_CASE("an empty file is an empty answer") {
  Site site;
  site.file("a.txt", "");
  const Answer get = answer(site.open("a.txt"), kGet);
  CHECK(get.plan.status == 200);
  CHECK(get.plan.length == 0);
  CHECK(get.has("Content-Length: 0"));
}

TEST_CASE("what the client already has is not sent again") {
  Site site;
  site.file("a.txt");
  const StaticFile file = site.open("a.txt");
  for (const std::string& field :
       {"If-None-Match: " + file.etag, "If-Modified-Since: " + std::string(kModifiedText)}) {
    CAPTURE(field);
    const Answer result = answer(file, kGet, field + "\r\n");
    CHECK(result.plan.status == 304);
    CHECK(result.plan.length == 0);
    CHECK(result.has("ETag: " + file.etag));
    CHECK_FALSE(result.has_name("Content-Length"));
    CHECK_FALSE(result.has_name("Content-Type"));
  }
  const Answer failed = answer(file, kGet, "If-Match: \"x\"\r\n");
  CHECK(failed.plan.status == 412);
  CHECK(failed.plan.length == 0);
  CHECK(failed.has("Content-Length: 0"));
}

TEST_CASE("a changed file has another tag") {
  Site site;
  site.file("a.txt", "one");
  site.file("b.txt", "longer");
  const std::string first = site.open("a.txt").etag;
  CHECK(first != site.open("b.txt").etag);
  const std::array<timespec, 2> times{{{kModified, 0}, {kModified, 1}}};
  REQUIRE(::utimensat(AT_FDCWD, site.at("a.txt").c_str(), times.data(), 0) == 0);
  CHECK(first != site.open("a.txt").etag);
  CHECK(first == "\"3-2ebc98a1-0\"");
}

TEST_CASE("a part is sent as asked") {
  Site site;
  site.file("a.txt", "0123456789");
  const StaticFile file = site.open("a.txt");
  const Answer part = answer(file, kGet, "Range: bytes=2-4\r\n");
  CHECK(part.plan.status == 206);
  CHECK(part.plan.offset == 2);
  CHECK(part.plan.length == 3);
  CHECK(part.has("Content-Range: bytes 2-4/10"));
  CHECK(part.has("Content-Length: 3"));
  const Answer beyond = answer(file, kGet, "Range: bytes=10-\r\n");
  CHECK(beyond.plan.status == 416);
  CHECK(beyond.plan.length == 0);
  CHECK(beyond.has("Content-Range: bytes */10"));
  CHECK(beyond.has("Content-Length: 0"));
}

TEST_CASE("a time to come is not told") {
  Site site;
  site.file("a.txt");
  StaticFile file = site.open("a.txt");
  file.modified_s = 4'000'000'000;
  CHECK(answer(file, kGet).has("Last-Modified: " + std::string(kNow)));
}

TEST_CASE("the answer says what becomes of the connection") {
  Site site;
  site.file("a.txt");
  const StaticFile file = site.open("a.txt");
  CHECK(answer(file, kGet, "", AfterAnswer::kClose).has("Connection: close"));
  CHECK(answer(file, "GET /a.txt HTTP/1.0").has("Connection: keep-alive"));
}

TEST_CASE("only GET and HEAD are for files") {
  CHECK(is_static_method("GET"));
  CHECK(is_static_method("HEAD"));
  for (const std::string_view method : {"POST", "OPTIONS", "get", ""}) CHECK_FALSE(is_static_method(method));
}

TEST_CASE("several parts are sent as one multipart body of the length that was said") {
  Site site;
  site.file("a.txt", "0123456789");
  const StaticFile file = site.open("a.txt");
  const Answer several = answer(file, kGet, "Range: bytes=0-1,4-5\r\n");
  CHECK(several.plan.status == 206);
  CHECK(several.plan.length == 0);
  REQUIRE(several.plan.more.size() == 2);
  CHECK(several.plan.more[1].offset == 4);
  CHECK(several.plan.more[1].length == 2);
  CHECK(several.plan.more[1].before.find("Content-Range: bytes 4-5/10\r\n") != std::string::npos);
  CHECK(several.has("Content-Length: " + std::to_string(several.plan.body_bytes())));
  CHECK(several.text.find("multipart/byteranges; boundary=") != std::string::npos);
}

TEST_CASE("a twin that was compressed before is sent to whom it may, unless it is older") {
  Site site;
  site.file("a.css", "plain");
  site.file("a.css.gz", "zipped");
  site.file("a.css.br", "brotli!");
  site.file("b.png", "image");
  site.file("b.png.gz", "zipped");
  CHECK(site.open("a.css").coding == Coding::kIdentity);
  CHECK(site.open("a.css").varies);
  CHECK(site.open("a.css", {true, false}).coding == Coding::kGzip);
  CHECK(site.open("a.css", {true, false}).size == 6);
  CHECK(site.open("a.css", {true, true}).coding == Coding::kBrotli);
  CHECK(site.open("a.css", {true, true}).content_type == "text/css; charset=utf-8");
  CHECK(site.open("a.css", {true, true}).etag != site.open("a.css").etag);
  CHECK(site.open("b.png", {true, true}).coding == Coding::kIdentity);
  CHECK_FALSE(site.open("b.png").varies);
  const std::array<timespec, 2> times{{{kModified - 1, 0}, {kModified - 1, 0}}};
  REQUIRE(::utimensat(AT_FDCWD, site.at("a.css.br").c_str(), times.data(), 0) == 0);
  CHECK(site.open("a.css", {true, true}).coding == Coding::kGzip);
}

}  // namespace
}  // namespace rowhouse::gateway
