#include <doctest/doctest.h>

#include "config/names.h"
#include "config/quantities.h"

using namespace rowhouse::config;

namespace {

constexpr Range kAny{0, UINT64_MAX};

template <typename T>
std::string problem_of(const Parsed<T>& parsed) {
  return parsed.ok() ? "" : parsed.problem();
}

}  // namespace

TEST_CASE("a whole number is decimal digits and nothing else") {
  CHECK(parse_whole("0", kAny).value() == 0);
  CHECK(parse_whole("42", kAny).value() == 42);
  CHECK(parse_whole("18446744073709551615", kAny).value() == UINT64_MAX);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1e3", "4.0", "0x10", "010", "00", "1_000", "1,000",
                           "१", "18446744073709551616", "99999999999999999999999", "true", "1\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_whole(text, kAny).ok());
  }
}

TEST_CASE("both ends of a range are in it and the sentence names the range") {
  CHECK(parse_whole("1", {1, 16}).ok());
  CHECK(parse_whole("16", {1, 16}).ok());
  CHECK(problem_of(parse_whole("0", {1, 16})) == "must be a whole number from 1 to 16, not \"0\"");
  CHECK(problem_of(parse_whole("17", {1, 16})) == "must be a whole number from 1 to 16, not \"17\"");
}

TEST_CASE("sizes have binary units") {
  CHECK(parse_size("64K", kAny).value() == 65'536);
  CHECK(parse_size("256M", kAny).value() == 268'435'456);
  CHECK(parse_size("1G", kAny).value() == 1'073'741'824);
  CHECK(parse_size("2T", kAny).value() == 2'199'023'255'552);
  for (const char* text :
       {"64", "64k", "64KB", "64KiB", "1.5G", "G", "-1G", " 1G", "1 G", "1GG", "01G", "1e3K"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text, kAny).ok());
  }
  CHECK(problem_of(parse_size("8M", {16 * kMebibyte, kGibibyte})) ==
        "must be a size with a unit (K, M, G, T) from 16M to 1G, not \"8M\"");
}

TEST_CASE("a size that does not fit 64 bits is refused, never wrapped") {
  CHECK(parse_size("16777215T", kAny).ok());
  CHECK_FALSE(parse_size("16777216T", kAny).ok());
  CHECK_FALSE(parse_size("18446744073709551615T", kAny).ok());
}

TEST_CASE("durations have units") {
  CHECK(parse_duration("500ms", kAny).value() == 500);
  CHECK(parse_duration("15s", kAny).value() == 15'000);
  CHECK(parse_duration("10m", kAny).value() == 600'000);
  CHECK(parse_duration("1h", kAny).value() == 3'600'000);
  for (const char* text : {"60", "1.5s", "1S", "1min", "s", "1 s", "-1s", "1m30s", "1d"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text, kAny).ok());
  }
  CHECK(problem_of(parse_duration("60", {100, 3'600'000})) ==
        "must be a duration with a unit (ms, s, m, h) from 100ms to 1h, not \"60\"");
}

TEST_CASE("percentages have a percent sign") {
  CHECK(parse_percent("50%", kAny).value() == 50);
  for (const char* text : {"50", "0.5", "50 %", "%", "50%%"}) CHECK_FALSE(parse_percent(text, kAny).ok());
  CHECK(problem_of(parse_percent("0%", {1, 400})) == "must be a percentage from 1% to 400%, not \"0%\"");
}

TEST_CASE("a quantity is shown in its largest exact unit") {
  CHECK(format_size(0) == "0");
  CHECK(format_size(1536) == "1536");
  CHECK(format_size(kMebibyte) == "1M");
  CHECK(format_size(1536 * kKibibyte) == "1536K");
  CHECK(format_duration(90'000) == "90s");
  CHECK(format_duration(0) == "0ms");
}

TEST_CASE("names are lower-case letters, digits and hyphens") {
  CHECK(parse_name("a").ok());
  CHECK(parse_name("0-a-9-").ok());
  CHECK(parse_name(std::string(63, 'a')).ok());
  for (const std::string& text :
       {std::string(), std::string(64, 'a'), std::string("-a"), std::string("A"), std::string("a_b"),
        std::string("a.b"), std::string("a/b"), std::string("a b"), std::string("\xc3\xa9"),
        std::string(".."), std::string("a\n")}) {
    CAPTURE(text);
    CHECK(problem_of(parse_name(text)).starts_with("must be a name of 1 to 63 characters"));
  }
}

TEST_CASE("a Python version is two numbers") {
  CHECK(parse_python_version("3.11").ok());
  CHECK(parse_python_version("3.8").ok());
  for (const char* text :
       {"3", "3.", ".11", "3.11.2", "python3.11", "3.1x", "03.11", "3.011", "3.100", " 3.11", ""}) {
    CAPTURE(text);
    CHECK(problem_of(parse_python_version(text)).starts_with("must be a Python version such as \"3.11\""));
  }
}

TEST_CASE("variables of the loader, of Python and of Rowhouse are not the app's to set") {
  for (const char* name :
       {"A", "_", "a1", "DJANGO_SETTINGS_MODULE", "LD", "ROWHOUSE", "MYPYTHON", "LDAP_URL"}) {
    CAPTURE(name);
    CHECK(parse_environment_name(name).ok());
  }
  for (const char* name : {"LD_PRELOAD", "LD_", "PYTHONPATH", "PYTHON", "ROWHOUSE_X"}) {
    CAPTURE(name);
    CHECK(problem_of(parse_environment_name(name)).starts_with("cannot be set"));
  }
  for (const char* name : {"", "1A", "A-B", "A=B", "A B", "\xc3\xa9", "A\n"}) {
    CAPTURE(name);
    CHECK(problem_of(parse_environment_name(name)).starts_with("is no name of an environment variable"));
  }
}
