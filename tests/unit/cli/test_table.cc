#include <doctest/doctest.h>

#include "cli/table.h"

using namespace rowhouse::cli;

namespace {

Table example() {
  Table table({{"NAME", Align::kLeft}, {"COUNT", Align::kRight}, {"EVENT", Align::kLeft}});
  table.add_row({{"a"}, {"1"}, {"-"}});
  table.add_row({{"longer-name"}, {"1234567"}, {"something happened at some time", Colour::kRed}});
  return table;
}

}  // namespace

TEST_CASE("columns are as wide as they need and numbers stand right") {
  CHECK(example().render({}) ==
        "NAME           COUNT  EVENT\n"
        "a                  1  -\n"
        "longer-name  1234567  something happened at some time\n");
}

TEST_CASE("the last column is cut at the terminal's edge") {
  const std::string text = example().render({40, false});
  CHECK(text.find("longer-name  1234567  something happe...\n") != std::string::npos);
}

TEST_CASE("a terminal narrower than the columns still shows a little of the last one") {
  CHECK(example().render({5, false}).find("something hap...\n") != std::string::npos);
}

TEST_CASE("colours are only for terminals that want them and do not move the columns") {
  const std::string text = example().render({100, true});
  CHECK(text.find("\x1b[31msomething happened at some time\x1b[0m\n") != std::string::npos);
  CHECK(text.find("a                  1  -\n") != std::string::npos);
  CHECK(example().render({100, false}).find('\x1b') == std::string::npos);
}

TEST_CASE("a character of several bytes takes one place and is never cut in two") {
  CHECK(display_width("gr\xc3\xbc\xc3\x9f") == 4);
  CHECK(cut_to_width("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\x9f", 4) == "\xc3\xa4...");
  CHECK(cut_to_width("abcd", 4) == "abcd");
  CHECK(cut_to_width("abcde", 2) == "..");
  CHECK(cut_to_width("abc", 0).empty());
}
