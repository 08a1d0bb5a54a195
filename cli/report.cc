#include "cli/report.h"

#include <cstdio>

#include "base/printable.h"

namespace rowhouse::cli {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_error(std::string_view sentence) {
  const std::string line = "rowhouse: " + std::string(sentence) + "\n";
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

ExitCode exit_code_of(const Reply& reply) {
  if (reply.status == 0) return ExitCode::kUnreachable;
  if (reply.status >= 200 && reply.status < 300) return ExitCode::kDone;
  if (reply.status == 403) return ExitCode::kNotPermitted;
  if (reply.status == 404) return ExitCode::kNotFound;
  return ExitCode::kFailed;
}

ExitCode report_failure(const Reply& reply, Output output) {
  if (reply.status == 0) {
    print_error(terminal_safe(reply.failure));
    return exit_code_of(reply);
  }
  if (output == Output::kJson) print(reply.body);
  const auto body = nlohmann::json::parse(reply.body, nullptr, false);
  const auto error = body.is_object() && body.contains("error") ? body["error"] : nlohmann::json();
  std::string sentence = text_at(error, "message");
  if (sentence.empty()) sentence = "the daemon answered with status " + std::to_string(reply.status);
  if (const std::string detail = text_at(error, "detail"); !detail.empty()) sentence += "\n  " + detail;
  print_error(sentence);
  return exit_code_of(reply);
}

std::string text_at(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? terminal_safe(found->get_ref<const std::string&>())
                                                     : "";
}

std::uint64_t number_at(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace rowhouse::cli
