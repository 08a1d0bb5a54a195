#include <doctest/doctest.h>

#include <variant>

#include "cli/check_command.h"
#include "cli/human.h"
#include "cli/invocation.h"
#include "cli/logs_command.h"
#include "cli/report.h"
#include "cli/status_command.h"
#include "cli/suggestion.h"

using namespace rowhouse::cli;

namespace {

std::variant<Invocation, Refusal> parse(std::vector<std::string> arguments, const std::string& socket = "") {
  arguments.insert(arguments.begin(), "rowhouse");
  return parse_arguments(arguments, socket);
}
Invocation accepted(const std::vector<std::string>& arguments, const std::string& socket = "") {
  const auto parsed = parse(arguments, socket);
  REQUIRE(std::holds_alternative<Invocation>(parsed));
  return std::get<Invocation>(parsed);
}
Refusal refused(const std::vector<std::string>& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<Refusal>(parsed));
  return std::get<Refusal>(parsed);
}

}  // namespace

TEST_CASE("--json and --socket are taken before and after the command") {
  CHECK(accepted({"status", "--json"}).output == Output::kJson);
  CHECK(accepted({"--json", "status"}).output == Output::kJson);
  CHECK(accepted({"status"}).output == Output::kText);
  CHECK(accepted({"--socket", "/x", "status"}).socket == "/x");
  CHECK(accepted({"status", "--socket", "/x"}, "/y").socket == "/x");
  CHECK(accepted({"status"}, "/y").socket == "/y");
  CHECK(accepted({"status"}).socket == kDefaultSocket);
}

TEST_CASE("every command is understood with its arguments") {
  CHECK(accepted({"status"}).subject.text().empty());
  CHECK(accepted({"status", "acme"}).subject.text() == "acme");
  CHECK(accepted({"restart", "acme/site"}).command == Command::kRestart);
  CHECK(accepted({"stop", "acme/site"}).subject.app == "site");
  const Invocation logs = accepted({"logs", "acme/site", "-f", "-n", "5", "--access", "--raw"});
  CHECK(logs.logs.lines == 5);
  CHECK(logs.logs.end == LogOptions::End::kFollow);
  CHECK(logs.logs.stream == LogOptions::Stream::kAccess);
  CHECK(logs.logs.form == LogOptions::Form::kRaw);
  const Invocation check = accepted({"check", "a.yaml", "--kind", "tenant", "b.yaml"});
  CHECK(check.check.files == std::vector<std::string>{"a.yaml", "b.yaml"});
  CHECK(check.check.kind == "tenant");
}

TEST_CASE("what is wrong is a usage error with a sentence") {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"nonsense"},
                                                       {"restart"},
                                                       {"restart", "acme"},
                                                       {"restart", "acme/"},
                                                       {"restart", "/site"},
                                                       {"restart", "acme/site/x"},
                                                       {"restart", "ACME/site"},
                                                       {"restart", "acme/site x"},
                                                       {"status", "a", "b"},
                                                       {"status", "--nonsense"},
                                                       {"logs", "acme/site", "-n", "-1"},
                                                       {"logs", "acme/site", "-n", "10001"},
                                                       {"logs", "acme/site", "-n", "1e3"},
                                                       {"check"},
                                                       {"check", "f", "--kind", "x"},
                                                       {"status", "restart", "a/b"}};
  for (const auto& arguments : wrong) {
    CAPTURE(arguments.size());
    CAPTURE((arguments.empty() ? std::string() : arguments.back()));
    const Refusal refusal = refused(arguments);
    CHECK(refusal.code == ExitCode::kUsage);
    CHECK_FALSE(refusal.standard_error.empty());
  }
}

TEST_CASE("help and version succeed") {
  CHECK(refused({"--version"}).standard_output.starts_with("rowhouse "));
  CHECK(refused({"--version"}).code == ExitCode::kDone);
  CHECK(refused({"--help"}).standard_output.find("restart") != std::string::npos);
  CHECK(refused({"logs", "--help"}).standard_output.find("--follow") != std::string::npos);
}

TEST_CASE("a mistyped command is told what was meant, and safely") {
  CHECK(refused({"statsu"}).standard_error.find("did you mean \"status\"?") != std::string::npos);
  CHECK(refused({"re-start"}).standard_error.find("did you mean \"restart\"?") != std::string::npos);
  CHECK(refused({"frobnicate"}).standard_error.find("did you mean") == std::string::npos);
  CHECK(refused({"\x1b[2J"}).standard_error.find('\x1b') == std::string::npos);
}

TEST_CASE("edit distance counts a swap as one") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("statsu", "status") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("numbers and times are short") {
  CHECK(format_bytes(0) == "0");
  CHECK(format_bytes(1023) == "1023");
  CHECK(format_bytes(1024) == "1.0K");
  CHECK(format_bytes(34'567'890) == "33.0M");
  CHECK(format_bytes(222'298'112) == "212M");
  CHECK(format_bytes(1023 * 1024 + 600) == "1.0M");
  CHECK(format_bytes(UINT64_MAX) == "16.0E");
  CHECK(format_duration_ms(-5) == "0ms");
  CHECK(format_duration_ms(999) == "999ms");
  CHECK(format_duration_ms(28'000) == "28s");
  CHECK(format_duration_ms(2 * 3600'000) == "2h");
  CHECK(format_duration_ms(72 * 3600'000LL) == "3d");
  CHECK(parse_rfc3339("2023-11-14T22:13:20.042Z") == 1'700'000'000'042);
  CHECK_FALSE(parse_rfc3339("2023-11-14"));
  CHECK_FALSE(parse_rfc3339("2023-11-14T22:13:20.042Zx"));
  CHECK_FALSE(parse_rfc3339(""));
}

TEST_CASE("replies become exit codes") {
  CHECK(exit_code_of({200, "", ""}) == ExitCode::kDone);
  CHECK(exit_code_of({403, "", ""}) == ExitCode::kNotPermitted);
  CHECK(exit_code_of({404, "", ""}) == ExitCode::kNotFound);
  CHECK(exit_code_of({409, "", ""}) == ExitCode::kFailed);
  CHECK(exit_code_of({422, "", ""}) == ExitCode::kFailed);
  CHECK(exit_code_of({503, "", ""}) == ExitCode::kFailed);
  CHECK(exit_code_of({0, "", "gone"}) == ExitCode::kUnreachable);
}

TEST_CASE("the loader's sentences become places") {
  const std::vector<std::string> files = {"a:b.yaml", "c.yaml"};
  const auto json = nlohmann::json::parse(
      check_json("a:b.yaml:3:5: unknown key: \"x\"\nc.yaml:1:1: bad\nsomething else\n", files));
  CHECK_FALSE(json["valid"]);
  REQUIRE(json["errors"].size() == 3);
  CHECK(
      json["errors"][0] ==
      nlohmann::json({{"file", "a:b.yaml"}, {"line", 3}, {"column", 5}, {"message", "unknown key: \"x\""}}));
  CHECK(json["errors"][1]["file"] == "c.yaml");
  CHECK(
      json["errors"][2] ==
      nlohmann::json({{"file", ""}, {"line", nullptr}, {"column", nullptr}, {"message", "something else"}}));
  CHECK(nlohmann::json::parse(check_json("", files)) ==
        nlohmann::json({{"valid", true}, {"errors", nlohmann::json::array()}}));
}

TEST_CASE("a log line is shown with who said it, and nothing in it drives a terminal") {
  const char* json =
      R"({"at":"T","stream":"stderr","generation":3,"worker":2,"text":"a \u001b[2J \u202e b \\x41 \\x5cx41"})";
  CHECK(render_log_line(json, LogOptions::Form::kSafe) ==
        "T worker[3.2] stderr a \\x1b[2J \\xe2\\x80\\xae b \\x41 \\x5cx41\n");
  CHECK(render_log_line(json, LogOptions::Form::kRaw) == "a \x1b[2J \xe2\x80\xae b A \\x41\n");
  CHECK(render_log_line(R"({"at":"T","stream":"rowhouse","generation":3,"worker":0,"text":"stopped"})",
                        LogOptions::Form::kSafe) == "T steward[3.0] rowhouse: stopped\n");
  CHECK(render_log_line("not json", LogOptions::Form::kSafe).find('\x1b') == std::string::npos);
}

TEST_CASE("a daemon's answer of any shape is shown without failing") {
  for (const char* text : {"{}", "{\"apps\":1}", "{\"apps\":[1,null,{}]}",
                           "{\"apps\":[{\"workers\":[{}],\"last_exit\":1}]}", "{\"errors\":[{}]}"}) {
    CHECK_FALSE(render_status(nlohmann::json::parse(text), {"a", "b"}, {}, 0).empty());
  }
}

TEST_CASE("tenant text in a status cannot drive a terminal") {
  const auto status = nlohmann::json::parse(R"({"apps":[{"tenant":"a","app":"b","state":"failed",
    "last_exit":{"code":"RH-IMPORT","detail":"import module: \u001b]0;x\u0007\n","at":"x","message":"m"},
    "sandbox":{"missing":["\u001b"]}}],"errors":[{"tenant":"a","message":"\u009b31m"}]})");
  const std::string text = render_status(status, {"a", "b"}, {}, 0);
  for (const char c : text) CHECK((c == '\n' || (c >= ' ' && c <= '~')));
}
