// Cause codes: docs/causes.md has one row for each, with its number and name, and no other.
#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <string>

#include "page.h"
#include "proto/causes.h"

namespace rowhouse::proto::test {
namespace {

TEST_CASE("docs/causes.md lists every cause under its number, with a sentence") {
  const std::string page = read_source("docs/causes.md");
  static const std::regex kRow(R"(\n\| (\d+) \| `(RH-[A-Z-]+)` \| ([^\n]+))");
  std::map<unsigned, std::string> listed;
  for (std::sregex_iterator it(page.begin(), page.end(), kRow), end; it != end; ++it) {
    CHECK((*it)[3].length() > 40);
    listed[static_cast<unsigned>(std::stoul((*it)[1]))] = (*it)[2];
  }
  std::map<unsigned, std::string> known;
  for (unsigned number = 1; number < 0x10000; ++number) {
    if (!is_cause(static_cast<std::uint16_t>(number))) continue;
    known[number] = std::string(cause_name(static_cast<Cause>(number)));
  }
  CHECK(known.size() >= 31);
  CHECK(listed == known);
}

TEST_CASE("a number that is no cause has no name") {
  CHECK(cause_name(static_cast<Cause>(40)) == "RH-NONE");
  CHECK_FALSE(is_cause(40));
  CHECK(is_cause(0));
}

TEST_CASE("every step of a worker's start has a name of its own") {
  std::map<std::string, int> seen;
  for (unsigned step = 0; step <= static_cast<unsigned>(last_value(StartStep{})); ++step) {
    ++seen[std::string(start_step_name(static_cast<StartStep>(step)))];
  }
  CHECK(seen.size() == 10);
  CHECK_FALSE(seen.contains("unknown"));
}

}  // namespace
}  // namespace rowhouse::proto::test
