#include <doctest/doctest.h>

#include "control/target.h"

using namespace rowhouse::control;

TEST_CASE("a target is taken apart and decoded once") {
  const auto target = parse_target("/v1/apps/%61cme/site%2520?lines=5&x=&y=a%20b");
  REQUIRE(target.ok());
  CHECK(target.value().segments == std::vector<std::string>{"v1", "apps", "acme", "site%20"});
  CHECK(target.value().parameters.at("lines") == "5");
  CHECK(target.value().parameters.at("x").empty());
  CHECK(target.value().parameters.at("y") == "a b");
}

TEST_CASE("an encoded slash does not make a segment") {
  CHECK(parse_target("/v1/a%2Fb").value().segments == std::vector<std::string>{"v1", "a/b"});
}

TEST_CASE("a target that is not exactly right is refused") {
  for (const char* bad : {"", "*", "v1", "http://x/v1", "//", "/v1//x", "/%", "/%1", "/%1g", "/%-1", "/%+1",
                          "/%00", "/a?b=1&b=2", "/a?=1", "/a?b=%"}) {
    CHECK_FALSE_MESSAGE(parse_target(bad).ok(), bad);
  }
}

TEST_CASE("segments and parameters are capped") {
  CHECK(parse_target("/1/2/3/4/5/6/7/8").ok());
  CHECK_FALSE(parse_target("/1/2/3/4/5/6/7/8/9").ok());
  CHECK_FALSE(parse_target("/?a&b&c&d&e&f&g&h&i").ok());
}
