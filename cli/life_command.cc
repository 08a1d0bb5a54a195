#include "cli/life_command.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "cli/api_client.h"
#include "cli/human.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

struct Words {
  const char* verb;  // in the path
  const char* done;
};

Words words_of(Command command) {
  if (command == Command::kStart) return {"start", "started"};
  if (command == Command::kStop) return {"stop", "stopped"};
  if (command == Command::kStacks) return {"stacks", ""};
  return {"restart", "restarted"};
}

std::string path_of(const Invocation& invocation) {
  const std::string path = fmt::format("/v1/apps/{}/{}", invocation.subject.text(), words_of(invocation.command).verb);
  return invocation.restart == RestartWay::kHard ? path + "?hard=1" : path;
}

}  // namespace

ExitCode run_life(const Invocation& invocation) {
  const Words words = words_of(invocation.command);
  const SystemClock clock;
  const Instant begun = clock.now();
  const Reply reply = ApiClient(invocation.socket).post(path_of(invocation));
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  if (invocation.command == Command::kStacks) {
    const std::string app = invocation.subject.text();
    print(fmt::format("The stacks of {}'s workers go to its log: rowhouse logs {}\n", app, app));
    return ExitCode::kDone;
  }
  const auto outcome = nlohmann::json::parse(reply.body, nullptr, false);
  const std::uint64_t generation = number_at(outcome, "generation");
  const std::string which =
      invocation.command == Command::kStop ? "" : fmt::format(" as generation {}", generation);
  const std::int64_t took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begun).count();
  print(fmt::format("{} {}{} in {}.\n", invocation.subject.text(), words.done, which,
                    format_duration_ms(took_ms)));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
