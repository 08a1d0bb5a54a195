#include <doctest/doctest.h>

#include "config/diagnostics.h"
#include "config/suggestion.h"

using namespace rowhouse::config;

TEST_CASE("sentences come in the order of the file") {
  Diagnostics diagnostics;
  diagnostics.add({2, 5}, "second");
  diagnostics.add({10, 1}, "last");
  diagnostics.add({1, 9}, "first");
  CHECK(diagnostics.lines("f.yaml") ==
        std::vector<std::string>{"f.yaml:1:9: first", "f.yaml:2:5: second", "f.yaml:10:1: last"});
}

TEST_CASE("sentences have a cap, and what is left out is counted") {
  Diagnostics diagnostics;
  for (std::uint32_t i = 1; i <= 25; ++i) diagnostics.add({i, 1}, "wrong");
  const auto lines = diagnostics.lines("f");
  REQUIRE(lines.size() == kMaxSentences + 1);
  CHECK(lines.back() == "f:20:1: 5 more errors are left out");
}

TEST_CASE("joined lines end whole") {
  CHECK(join_lines({"abc", "def"}, 8) == "abc\ndef\n");
  CHECK(join_lines({"abc", "def"}, 7) == "abc\n");
  CHECK(join_lines({"abc", "def"}, 3) == "");
}

TEST_CASE("a quoted value cannot drive a terminal or end a line") {
  CHECK(quote("a\x1b[2J\nb") == "\"a\\x1b[2J\\x0ab\"");
  CHECK(quote(std::string(100, 'x')) == "\"" + std::string(80, 'x') + "...\"");
  Diagnostics diagnostics;
  diagnostics.add({1, 1}, "wrong");
  CHECK(diagnostics.lines("a\nb") == std::vector<std::string>{"a\\x0ab:1:1: wrong"});
}

TEST_CASE("the edit distance counts slips of the finger") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("routes", "routes") == 0);
  CHECK(edit_distance("routs", "routes") == 1);
  CHECK(edit_distance("rouets", "routes") == 1);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("an unknown key gets the nearest known one, else the list") {
  CHECK(unknown_key_sentence("routes", kAppTable) == "");
  CHECK(unknown_key_sentence("rotues", kAppTable) == "unknown key \"rotues\"; did you mean \"routes\"?");
  CHECK(unknown_key_sentence("enviroment", kAppTable) ==
        "unknown key \"enviroment\"; the keys of an app are routes, wsgi, asgi, app, factory, directory, python, virtualenv, "
        "env, workers, "
        "threads, concurrency, static, limits, timeouts, health, max_requests, max_lifetime, max_memory, retry, cache_control, redirect, error_pages, compress, buffering, buffer_responses, access_log, preload, reload, share, gil");
  CHECK(unknown_key_sentence("mn", kUidsTable) == "unknown key \"mn\"; did you mean \"min\"?");
  CHECK(unknown_key_sentence("", kUidsTable) == "unknown key \"\"; the keys of \"uids\" are min");
  CHECK(unknown_key_sentence(std::string(60'000, 'x'), kUidsTable).size() < 200);
}

TEST_CASE("a key that the design names is refused as not supported yet") {
  CHECK(unknown_key_sentence("owner", kTenantTable) == "\"owner\" is not supported yet");
  CHECK(unknown_key_sentence("https", kListenTable) == "\"https\" is not supported yet");
}
