#include <doctest/doctest.h>

#include "worker/response_draft.h"

using namespace rowhouse;
using rowhouse::worker::ResponseDraft;

TEST_CASE("a status line is three digits, a space and a reason") {
  ResponseDraft draft;
  for (const char* good : {"200 OK", "404 Not Found", "599 x", "200 ", "302 \xe9t\xe9"}) {
    CAPTURE(good);
    CHECK(draft.set_status(good).ok());
  }
  for (const char* bad : {"", "200", "OK", "20 OK", "2000 OK", " 200 OK", "199 X", "600 X", "+20 X", "200 \r",
                          "200 a\n", "200\tOK", "200 \x7f"}) {
    CAPTURE(bad);
    CHECK_FALSE(draft.set_status(bad).ok());
  }
  CHECK(draft.set_status("200 " + std::string(128, 'x')).ok());
  CHECK_FALSE(draft.set_status("200 " + std::string(129, 'x')).ok());
}

TEST_CASE("a NUL is refused in a status and in a value") {
  ResponseDraft draft;
  CHECK_FALSE(draft.set_status(std::string_view("200 \0", 5)).ok());
  CHECK_FALSE(draft.add_field("A", std::string_view("\0", 1)).ok());
}

TEST_CASE("names are tokens and hop-by-hop fields are refused") {
  ResponseDraft draft;
  for (const char* bad : {"", "A B", "A:", "A\r", "\xc4", "(a)", "Connection", "KEEP-ALIVE",
                          "transfer-encoding", "Upgrade", "te", "Trailer", "Proxy-Authenticate"}) {
    CAPTURE(bad);
    CHECK_FALSE(draft.add_field(bad, "x").ok());
  }
  CHECK(draft.add_field("X-Anything_else!", "x").ok());
}

TEST_CASE("spaces around a value are dropped and the inside is kept") {
  ResponseDraft draft;
  REQUIRE(draft.set_status("200 OK").ok());
  REQUIRE(draft.add_field("X-A", " \tb  c\t ").ok());
  proto::FieldRoom room;
  CHECK(draft.head(room).fields[0].value == "b  c");
}

TEST_CASE("Content-Length is digits, once") {
  for (const char* bad : {"", "-1", "+1", "1x", "1, 1", "0x10", "99999999999999999999999"}) {
    CAPTURE(bad);
    ResponseDraft draft;
    CHECK_FALSE(draft.add_field("Content-Length", bad).ok());
  }
  ResponseDraft draft;
  REQUIRE(draft.add_field("content-length", " 12 ").ok());
  CHECK(draft.content_length() == 12);
  CHECK_FALSE(draft.add_field("Content-Length", "12").ok());
}

TEST_CASE("a set Content-Length is in the head") {
  ResponseDraft draft;
  REQUIRE(draft.set_status("200 OK").ok());
  draft.set_content_length(18446744073709551615u);
  proto::FieldRoom room;
  const proto::ResponseHead head = draft.head(room);
  CHECK(head.fields[0].number == proto::kFieldContentLength);
  CHECK(head.fields[0].value == "18446744073709551615");
}

TEST_CASE("heads beyond the caps of the protocol are refused") {
  ResponseDraft draft;
  CHECK_FALSE(draft.add_field("A", std::string(proto::kMaxFieldBytes, 'x')).ok());
  const std::string value(proto::kMaxFieldBytes - 10, 'x');
  REQUIRE(draft.add_field("A", value).ok());
  REQUIRE(draft.add_field("B", value).ok());
  REQUIRE(draft.add_field("C", value).ok());
  CHECK_FALSE(draft.add_field("D", value).ok());
  draft.clear();
  for (std::size_t i = 0; i < proto::kMaxFields - 1; ++i) REQUIRE(draft.add_field("A", "x").ok());
  CHECK_FALSE(draft.add_field("A", "x").ok());
  draft.set_content_length(1);
  proto::FieldRoom room;
  CHECK(draft.head(room).fields.size() == proto::kMaxFields);
}

TEST_CASE("the longest draft is a head that the protocol takes") {
  ResponseDraft draft;
  REQUIRE(draft.set_status("200 OK").ok());
  while (draft.add_field("Name", std::string(700, 'x')).ok()) {
  }
  draft.set_content_length(1234567890);
  proto::FieldRoom room;
  std::string out;
  proto::append_response(out, 1, draft.head(room));
  proto::FieldRoom parsed_room;
  CHECK(proto::parse_response(as_bytes(out).subspan(proto::kFrameHeaderBytes), parsed_room).ok());
}
