#include <doctest/doctest.h>

#include "control/json_strict.h"

using namespace rowhouse::control;

namespace {

std::string pointer_of(std::string_view text) {
  const auto parsed = parse_json(text);
  REQUIRE_MESSAGE(parsed.problem, text);
  return parsed.problem->pointer;
}

}  // namespace

TEST_CASE("what is valid is parsed") {
  const auto parsed = parse_json(R"({"a":[1,2.5,"x",null,true],"b":{"c":-1}})");
  REQUIRE_FALSE(parsed.problem);
  CHECK(parsed.value["b"]["c"] == -1);
  CHECK_FALSE(parse_json(std::string(16, '[') + std::string(16, ']')).problem);
}

TEST_CASE("a duplicate key is refused where it stands") {
  CHECK(pointer_of(R"({"a":1,"a":2})") == "/a");
  CHECK(pointer_of(R"({"x":[0,{"y":1,"y":1}]})") == "/x/1/y");
  CHECK(pointer_of(R"({"":1,"":2})") == "/");
  CHECK_FALSE(parse_json(R"({"a":{"b":1},"c":{"b":1}})").problem);
  CHECK_FALSE(parse_json(R"([{"b":1},{"b":1}])").problem);
}

TEST_CASE("a pointer escapes slashes and tildes") {
  CHECK(pointer_of(R"({"a/b~c":{"x":1,"x":1}})") == "/a~1b~0c/x");
}

TEST_CASE("what a lenient parser lets pass is refused") {
  for (const char* bad : {"",
                          " ",
                          "{} x",
                          "{},",
                          "nul",
                          "NaN",
                          "[1,]",
                          "{a:1}",
                          "'x'",
                          "\xef\xbb\xbf{}",
                          "[1e400]",
                          "[\"\\ud800\"]",
                          "[\"\\u0000\"]",
                          "{\"\\u0000\":1}",
                          "[\"\xff\"]",
                          "[01]",
                          "[+1]",
                          "[.5]",
                          "// x\n{}",
                          "[",
                          "{\"a\":",
                          "\"\n\""}) {
    CHECK_MESSAGE(parse_json(bad).problem, bad);
  }
}

TEST_CASE("nesting beyond the cap is refused without recursion") {
  CHECK(parse_json(std::string(17, '[') + std::string(17, ']')).problem);
  CHECK(parse_json(std::string(1'000'000, '[')).problem);
}

TEST_CASE("an unknown field is refused with its pointer") {
  const auto parsed = parse_json(R"({"known":1,"new":2})");
  CHECK_FALSE(check_fields(parsed.value, {"known", "new"}));
  CHECK(check_fields(parsed.value, {"known"})->pointer == "/new");
  CHECK(check_fields(parse_json("[]").value, {})->message == "must be an object");
}
