// REQUEST and RESPONSE heads: golden bytes of the page, caps, and the numbers of methods and names.
#include <doctest/doctest.h>

#include <regex>

#include "page.h"
#include "proto/frames.h"
#include "proto/heads.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.request.md");

std::string payload_of(const std::string& frame) { return frame.substr(kFrameHeaderBytes); }

RequestHead page_request(std::span<const Field> fields) {
  RequestHead head;
  head.app = 7;
  head.remote_port = 50000;
  head.server_port = 80;
  head.target = "/blog/a?x=1";
  head.script_name = "/blog";
  head.path_info = "/a";
  head.query = "x=1";
  head.host = head.server_name = "acme.example";
  head.remote_address = "192.0.2.1";
  head.request_id = "r1";
  head.fields = fields;
  return head;
}

std::string response_with(std::span<const Field> fields) {
  std::string out;
  append_response(out, 1, {.status = 200, .reason = "", .fields = fields});
  return out;
}

TEST_CASE("REQUEST has the page's bytes") {
  const Field fields[] = {{field_number("user-agent"), "user-agent", "t"}, {0, "x-a", "b"}};
  std::string out;
  append_request(out, 1, page_request(fields), RequestBody::kNone);
  CHECK(out == golden(kPage, "request_get"));
}

TEST_CASE("TUNNEL has the page's bytes, and no other status than 101") {
  const std::string bytes = golden(kPage, "tunnel");
  const Field fields[] = {{0, "sec-websocket-protocol", "chat"}};
  std::string out;
  append_tunnel(out, 5, {.status = 101, .reason = "", .fields = fields});
  CHECK(out == bytes);
  FieldRoom room;
  std::string payload = payload_of(bytes);
  const auto parsed = parse_tunnel(as_bytes(payload), room);
  REQUIRE(parsed.ok());
  CHECK(parsed.value().fields[0].value == "chat");
  CHECK_FALSE(parse_response(as_bytes(payload), room).ok());
  payload[0] = static_cast<char>(200);
  CHECK_FALSE(parse_tunnel(as_bytes(payload), room).ok());
  CHECK(parse_response(as_bytes(payload), room).ok());
}

TEST_CASE("a REQUEST that offers WebSocket has both flags, and never the second one alone") {
  std::string out;
  append_request(out, 1, page_request({}), RequestBody::kUpgrade);
  const auto frame = parse_frame(as_bytes(out), FrameSender::kGateway);
  REQUIRE((frame.ok() && frame.value().has_value()));
  CHECK(frame.value()->frame.last());
  CHECK(frame.value()->frame.upgrade());
  out[5] = static_cast<char>(kFlagUpgrade);
  CHECK_FALSE(parse_frame(as_bytes(out), FrameSender::kGateway).ok());
}

TEST_CASE("the page's REQUEST parses to what the page tells") {
  const std::string payload = payload_of(golden(kPage, "request_get"));
  FieldRoom room;
  const auto parsed = parse_request(as_bytes(payload), room);
  REQUIRE(parsed.ok());
  const RequestHead& head = parsed.value();
  CHECK(head.method == Method::kGet);
  CHECK(head.method_name == "GET");
  CHECK(head.version == 11);
  CHECK_FALSE(head.https);
  CHECK(head.app == 7);
  CHECK(head.body_length == 0);
  CHECK(head.remote_port == 50000);
  CHECK(head.server_port == 80);
  CHECK(head.target == "/blog/a?x=1");
  CHECK(head.script_name == "/blog");
  CHECK(head.path_info == "/a");
  CHECK(head.query == "x=1");
  CHECK(head.host == "acme.example");
  CHECK(head.remote_address == "192.0.2.1");
  CHECK(head.server_name == "acme.example");
  CHECK(head.request_id == "r1");
  REQUIRE(head.fields.size() == 2);
  CHECK(head.fields[0].name == "user-agent");
  CHECK(head.fields[0].value == "t");
  CHECK(head.fields[1].name == "x-a");
  CHECK(head.fields[1].value == "b");
}

TEST_CASE("RESPONSE has the page's bytes and parses back") {
  const Field field{kFieldContentType, "content-type", "text/plain"};
  CHECK(response_with({&field, 1}) == golden(kPage, "response"));
  const std::string payload = payload_of(golden(kPage, "response"));
  FieldRoom room;
  const auto head = parse_response(as_bytes(payload), room);
  REQUIRE(head.ok());
  CHECK(head.value().status == 200);
  CHECK(head.value().reason.empty());
  REQUIRE(head.value().fields.size() == 1);
  CHECK(head.value().fields[0].name == "content-type");
  CHECK(head.value().fields[0].value == "text/plain");
}

TEST_CASE("every truncation of a head is refused") {
  const std::string request = payload_of(golden(kPage, "request_get"));
  const std::string response = payload_of(golden(kPage, "response"));
  FieldRoom room;
  for (std::size_t size = 0; size < request.size(); ++size) {
    CHECK_FALSE(parse_request(as_bytes(request).first(size), room).ok());
  }
  for (std::size_t size = 0; size < response.size(); ++size) {
    CHECK_FALSE(parse_response(as_bytes(response).first(size), room).ok());
  }
  CHECK_FALSE(parse_request(as_bytes(request + '\0'), room).ok());
  CHECK_FALSE(parse_response(as_bytes(response + '\0'), room).ok());
}

TEST_CASE("a method without a number travels by name, and never both ways") {
  RequestHead head = page_request({});
  head.method = Method::kOther;
  head.method_name = "PROPFIND";
  std::string out;
  append_request(out, 1, head, RequestBody::kNone);
  FieldRoom room;
  std::string payload = payload_of(out);
  const auto parsed = parse_request(as_bytes(payload), room);
  REQUIRE(parsed.ok());
  CHECK(parsed.value().method == Method::kOther);
  CHECK(parsed.value().method_name == "PROPFIND");
  payload[0] = 1;
  CHECK_FALSE(parse_request(as_bytes(payload), room).ok());
  payload[0] = 9;
  CHECK_FALSE(parse_request(as_bytes(payload), room).ok());
}

TEST_CASE("a version other than 10 and 11 is refused") {
  std::string payload = payload_of(golden(kPage, "request_get"));
  FieldRoom room;
  for (const char version : {'\x00', '\x09', '\x0c', '\x14'}) {
    payload[1] = version;
    CHECK_FALSE(parse_request(as_bytes(payload), room).ok());
  }
  payload[1] = 10;
  CHECK(parse_request(as_bytes(payload), room).ok());
}

TEST_CASE("a status outside 200 to 599 is refused") {
  FieldRoom room;
  for (const auto& [status, good] : {std::pair{0, false}, {99, false}, {100, false}, {199, false}, {200, true},
                                     {599, true}, {600, false}, {1000, false}, {65535, false}}) {
    std::string out;
    append_response(out, 1, {.status = static_cast<std::uint16_t>(status), .reason = {}, .fields = {}});
    CAPTURE(status);
    CHECK(parse_response(as_bytes(out).subspan(kFrameHeaderBytes), room).ok() == good);
  }
}

TEST_CASE("a hundred fields pass, one more is refused") {
  std::vector<Field> fields(kMaxFields, Field{0, "x-a", "b"});
  FieldRoom room;
  CHECK(parse_response(as_bytes(response_with(fields)).subspan(kFrameHeaderBytes), room).ok());
  fields.push_back({0, "x-a", "b"});
  CHECK_FALSE(parse_response(as_bytes(response_with(fields)).subspan(kFrameHeaderBytes), room).ok());
}

TEST_CASE("a field of exactly its cap passes, one byte more is refused") {
  std::string value(kMaxFieldBytes - 3, 'v');
  FieldRoom room;
  Field field{0, "x-a", value};
  CHECK(parse_response(as_bytes(response_with({&field, 1})).subspan(kFrameHeaderBytes), room).ok());
  value += 'v';
  field.value = value;
  CHECK_FALSE(parse_response(as_bytes(response_with({&field, 1})).subspan(kFrameHeaderBytes), room).ok());
}

TEST_CASE("all fields together are capped") {
  const std::string value(kMaxFieldBytes - 3, 'v');
  std::vector<Field> fields(4, Field{0, "x-a", value});
  FieldRoom room;
  CHECK(parse_response(as_bytes(response_with(fields)).subspan(kFrameHeaderBytes), room).ok());
  fields.push_back({0, "x", ""});
  CHECK_FALSE(parse_response(as_bytes(response_with(fields)).subspan(kFrameHeaderBytes), room).ok());
}

TEST_CASE("a field without a name or with an unknown number is refused") {
  FieldRoom room;
  const Field nameless{0, "", "b"};
  CHECK_FALSE(parse_response(as_bytes(response_with({&nameless, 1})).subspan(kFrameHeaderBytes), room).ok());
  const Field unknown{kFieldNames, "", "b"};
  CHECK_FALSE(parse_response(as_bytes(response_with({&unknown, 1})).subspan(kFrameHeaderBytes), room).ok());
}

// "1 accept, 2 accept-encoding" below `heading`: number -> name.
std::map<int, std::string> page_numbers(const std::string& heading) {
  const auto begin = kPage.find(heading) + heading.size();
  const std::string text = kPage.substr(begin, kPage.find(". ", begin) - begin);
  static const std::regex kItem(R"((\d+) ([A-Za-z-]+))");
  std::map<int, std::string> numbers;
  for (std::sregex_iterator it(text.begin(), text.end(), kItem), end; it != end; ++it) {
    numbers[std::stoi((*it)[1])] = (*it)[2];
  }
  return numbers;
}

TEST_CASE("the numbers of methods are the page's") {
  const auto numbers = page_numbers("\nMethods: ");
  CHECK(numbers.size() >= 8);
  for (const auto& [number, name] : numbers) {
    if (name.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos) continue;
    CAPTURE(name);
    CHECK(static_cast<int>(method_number(name)) == number);
    CHECK(method_name(static_cast<Method>(number)) == name);
  }
  CHECK(method_number("get") == Method::kOther);
}

TEST_CASE("the numbers of field names are the page's") {
  const auto numbers = page_numbers("\nName numbers: ");
  CHECK(numbers.size() == kFieldNames - 1);
  for (const auto& [number, name] : numbers) {
    CAPTURE(name);
    CHECK(field_number(name) == number);
    CHECK(field_name(static_cast<std::uint8_t>(number)) == name);
  }
  CHECK(field_number("x-unknown") == 0);
  CHECK(field_name(0).empty());
  CHECK(field_name(kFieldNames).empty());
}

}  // namespace
}  // namespace rowhouse::proto::test
