// The bounded parse.  S05 and S06 of the threat list: bombs end in bounded time with one sentence.
#include <doctest/doctest.h>

#include <chrono>

#include "config/yaml_tree.h"
#include "sentences.h"

using namespace rowhouse::config;

namespace {

std::string refused(std::string_view text) {
  return sentences(text, [](const Node&, Diagnostics&) {});
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

Node parsed(std::string_view text) {
  Diagnostics diagnostics;
  auto root = parse_yaml(text, diagnostics);
  REQUIRE(diagnostics.empty());
  REQUIRE(root.has_value());
  return *root;
}

}  // namespace

TEST_CASE("every value knows where it stands") {
  const Node root = parsed("a: 1\nb:\n  - x\n  - {c: 'y z'}\nd:\n");
  REQUIRE(root.kind == NodeKind::kMap);
  REQUIRE(root.keys.size() == 3);
  CHECK(root.keys[0].name == "a");
  CHECK(root.keys[1].position == Position{2, 1});
  CHECK(root.children[0].text == "1");
  CHECK(root.children[0].style == ScalarStyle::kPlain);
  CHECK(root.children[0].position == Position{1, 4});
  REQUIRE(root.children[1].kind == NodeKind::kSequence);
  CHECK(root.children[1].children[0].position == Position{3, 5});
  const Node& inner = root.children[1].children[1];
  CHECK(inner.keys[0].name == "c");
  CHECK(inner.children[0].text == "y z");
  CHECK(inner.children[0].style == ScalarStyle::kQuoted);
  CHECK(inner.children[0].position == Position{4, 9});
  CHECK(root.children[2].kind == NodeKind::kNull);
}

TEST_CASE("a text is kept as it is written") {
  const Node root = parsed("a: 3.10\nb: yes\nc: 0x1F\nd: |\n  x\n  y\n");
  CHECK(root.children[0].text == "3.10");
  CHECK(root.children[1].text == "yes");
  CHECK(root.children[2].text == "0x1F");
  CHECK(root.children[3].text == "x\ny\n");
}

TEST_CASE("a file without a value is empty") {
  for (const char* text : {"", "\n", "# a comment\n", "---\n", "~\n", "...\n"}) {
    CAPTURE(text);
    CHECK(refused(text) == "1:1: the file is empty");
  }
}

TEST_CASE("a document may begin and end with markers, but there is only one") {
  CHECK(refused("---\na: 1\n...\n") == "");
  CHECK(refused("%YAML 1.2\n---\na: 1\n") == "");
  CHECK(refused("a: 1\n---\nb: 2\n") == "2:1: a configuration file is one YAML document, not several");
}

TEST_CASE("duplicate keys are refused and the rest is still read") {
  CHECK(refused("a: 1\nb: 2\na: 3\n'b': 4\n") == "3:1: duplicate key \"a\"\n4:1: duplicate key \"b\"");
  CHECK(refused("x: {a: 1, a: 2}\ny: {a: 1}\n") == "1:11: duplicate key \"a\"");
}

TEST_CASE("aliases, anchors and tags are refused, and the usual cause is named") {
  const std::string sentence =
      "anchors (\"&name\") and aliases (\"*name\") are not used here; put a text that begins with \"*\" or "
      "\"&\" in "
      "quotes";
  CHECK(refused("a: &x 1\n") == "1:4: " + sentence);
  CHECK(refused("a: &x {b: 1}\nc: *x\n") == "1:4: " + sentence);
  CHECK(refused("a: &x\n  - 1\n") == "1:4: " + sentence);
  CHECK(contains(refused("domains: [*.acme.example]\n"), sentence));
  CHECK(contains(refused("a: *x\n"), sentence));
  CHECK(contains(refused("a: * x\n"), sentence));
  CHECK(refused("a: !!int 1\n") == "1:4: tags (\"!name\") are not used here");
  CHECK(refused("a: !!python/object:os.system {}\n") == "1:4: tags (\"!name\") are not used here");
}

TEST_CASE("a key is a text") {
  for (const char* text : {"? [x]\n: 1\n", "? {x: 1}\n: 1\n", "{[x]: 1}\n", "~: 1\n", ": 1\n"}) {
    CAPTURE(text);
    CHECK(contains(refused(text), "a key must be a text"));
  }
}

TEST_CASE("nesting has a cap") {
  const auto nested = [](std::size_t depth) { return repeated("[", depth) + repeated("]", depth); };
  CHECK(refused(nested(kMaxYamlDepth)) == "");
  CHECK(refused(nested(kMaxYamlDepth + 1)) == "1:33: values are nested more than 32 deep");
  CHECK(contains(refused(repeated("- ", 33) + "x\n"), "values are nested more than 32 deep"));
}

TEST_CASE("the number of values has a cap") {
  const std::string most = "[" + repeated("a,", kMaxYamlNodes - 1) + "]";
  CHECK(refused(most) == "");
  CHECK(contains(refused("[" + repeated("a,", kMaxYamlNodes) + "]"), "the file has more than 20000 values"));
}

TEST_CASE("bombs end in bounded time") {
  const std::string bombs[] = {repeated("[", 65'000),      repeated("{", 65'000),
                               repeated("- ", 32'000),     repeated("? ", 32'000),
                               repeated("!", 65'000),      repeated("&a ", 21'000),
                               repeated("a: 1\n", 13'000), repeated("a:", 30'000),
                               repeated("%A\n", 21'000),   "a: \"" + repeated("\n", 65'000),
                               repeated("\n", 65'000),     repeated("a ", 32'000),
                               repeated("{a: ", 16'000),   repeated("'", 65'001),
                               repeated("*a ", 21'000)};
  for (const std::string& bomb : bombs) {
    CAPTURE(bomb.substr(0, 12));
    const auto begin = std::chrono::steady_clock::now();
    static_cast<void>(refused(bomb));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
  }
}

TEST_CASE("bytes that are no UTF-8 text are refused where they stand") {
  CHECK(refused("a: 1\nb: \xff\n") == "2:4: the file is not UTF-8 text");
  for (const char* bytes : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
                            "\xf4\x90\x80\x80", "\x80", "\xc3", "\xe2\x82", "\xf5\x80\x80\x80", "\xff\xfe"}) {
    CAPTURE(bytes);
    CHECK(refused(std::string("a: ") + bytes) == "1:4: the file is not UTF-8 text");
  }
  CHECK(refused("a: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n") == "");
}

TEST_CASE("NUL and other control characters are refused, also when they are escaped") {
  using namespace std::string_literals;
  CHECK(refused("a: \0\n"s) == "1:4: the file has a control character here");
  CHECK(refused("a: x\x1b[2J\n") == "1:5: the file has a control character here");
  CHECK(refused("a: x\x7f\n") == "1:5: the file has a control character here");
  CHECK(refused("a:\tx\r\n") == "");
  CHECK(refused("a: \"\\0\"\n") == "1:4: a text must not contain a NUL byte");
  CHECK(refused("a: \"\\x00\"\n") == "1:4: a text must not contain a NUL byte");
}

TEST_CASE("a quoted text that the end of the file cuts off is no text") {
  CHECK(refused("a: \"x") == "1:6: a quoted text before this place is not closed");
  CHECK(refused("a: \"x\n") == "2:1: a quoted text before this place is not closed");
  CHECK(refused("a: 'x\n\n") == "3:1: a quoted text before this place is not closed");
  CHECK(refused("a: \"x\"") == "");
}

TEST_CASE("what is no YAML is named with its place") {
  CHECK(refused("a: [1, 2\n") == "2:1: this is not YAML: \"end of sequence flow not found\"");
  CHECK(refused("a: \"\\q\"\n") == "1:7: this is not YAML: \"unknown escape character: q\"");
  CHECK(contains(refused("a: }\n"), "this is not YAML: "));
  CHECK(refused("a:\n\tb: 1\n") == "2:3: YAML is indented with spaces; this line begins with a tab");
}
