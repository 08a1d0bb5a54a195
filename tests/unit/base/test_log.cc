// The operator's log and foreign text in it.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <regex>
#include <string>

#include "base/files.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace rowhouse {
namespace {

// What `write` logs: stderr is a pipe meanwhile.
template <typename Write>
std::string logged(Write write) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd reading(ends[0]), writing(ends[1]);
  const UniqueFd saved(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  REQUIRE(::dup2(writing.get(), STDERR_FILENO) == STDERR_FILENO);
  write();
  REQUIRE(::dup2(saved.get(), STDERR_FILENO) == STDERR_FILENO);
  writing.reset();
  return read_all(reading.get(), 1 << 16).value();
}

TEST_CASE("a line has time, level, program, event and the fields in order") {
  set_log_program("unit-base");
  const std::string line = logged([] { log_warning("worker died", {{"app", 7}, {"cause", "RH-SIGNAL"}}); });
  const std::regex expected(
      R"re(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=warning program=unit-base )re"
      R"re(event="worker died" app=7 cause=RH-SIGNAL\n)re");
  CHECK_MESSAGE(std::regex_match(line, expected), line);
}

TEST_CASE("the three levels are told apart") {
  CHECK(logged([] { log_info("x"); }).find(" level=info ") != std::string::npos);
  CHECK(logged([] { log_error("x"); }).find(" level=error ") != std::string::npos);
}

TEST_CASE("an error is logged as its description") {
  const std::string line =
      logged([] { log_error("x", {{"error", make_error(ErrorCode::kClosed, "recvmsg")}}); });
  CHECK(line.find(R"(error="recvmsg: peer has gone")") != std::string::npos);
}

TEST_CASE("a stranger's value ends no line, quotes nothing and moves no cursor") {
  const std::string line = logged([] { log_info("x", {{"value", "a\n2026 level=error\x1b[31m\"\\\x9b\x7f"}}); });
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.find(R"(value="a\x0a2026 level=error\x1b[31m\x22\x5c\x9b\x7f")") != std::string::npos);
}

TEST_CASE("a plain word stays as it is, everything else is quoted") {
  CHECK(quote_log_value("acme/site") == "acme/site");
  CHECK(quote_log_value("") == R"("")");
  CHECK(quote_log_value("two words") == R"("two words")");
  CHECK(quote_log_value("a=b") == R"("a=b")");
  CHECK(quote_log_value(std::string_view("\0", 1)) == R"("\x00")");
}

TEST_CASE("a value is shown up to its cap") {
  CHECK(quote_log_value(std::string(5000, 'x')) == std::string(1024, 'x'));
}

}  // namespace
}  // namespace rowhouse
