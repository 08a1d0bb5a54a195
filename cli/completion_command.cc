#include <nlohmann/json.hpp>
#include <set>

#include "cli/api_client.h"
#include "cli/report.h"
#include "cli/shell_completion.h"

namespace rowhouse::cli {
namespace {

void print_names(const std::string& socket) {
  const Reply reply = ApiClient(socket).get("/v1/status");
  const auto status = nlohmann::json::parse(reply.body, nullptr, false);
  if (exit_code_of(reply) != ExitCode::kDone || !status.is_object() || !status.contains("apps")) return;
  std::set<std::string> names;
  for (const auto& app : status["apps"]) {
    const Subject subject{text_at(app, "tenant"), text_at(app, "app")};
    // What a shell is given as words must be words.
    if (!parse_subject(subject.text())) continue;
    names.insert(subject.tenant);
    names.insert(subject.text());
  }
  for (const std::string& name : names) print(name + "\n");
}

}  // namespace

ExitCode run_completion(const Invocation& invocation) {
  if (invocation.shell == "names") {
    print_names(invocation.socket);
    return ExitCode::kDone;
  }
  const ProgramSheet program = describe_program();
  if (invocation.shell == "bash") print(bash_completion(program));
  if (invocation.shell == "zsh") print(zsh_completion(program));
  if (invocation.shell == "fish") print(fish_completion(program));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
