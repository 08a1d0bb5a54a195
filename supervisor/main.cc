// rowhoused: the keeper, and exec-ed again by it, the supervisor.
//
//   rowhoused --config FILE            runs in the foreground; exits 0 after SIGTERM or SIGINT
//   rowhoused --config FILE --check    reads everything, prints what is wrong, exits 0 or 1
//   rowhoused --version
// Exit status 2 means that the command line was wrong.
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/process_name.h"
#include "supervisor/keeper.h"
#include "supervisor/supervisor.h"

namespace {

using namespace rowhouse::supervisor;

struct CommandLine {
  bool valid = false;
  bool supervisor = false;
  bool check = false;
  bool version = false;
  std::string config = "/etc/rowhouse/rowhouse.yaml";
};

CommandLine parse_command_line(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--config" && i + 1 < argc) {
      line.config = argv[++i];
    } else if (argument == "--check") {
      line.check = true;
    } else if (argument == "--supervisor" && i == 1) {
      line.supervisor = true;
    } else if (argument == "--version") {
      line.version = true;
    } else {
      return line;
    }
  }
  line.valid = true;
  return line;
}

std::string absolute(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

int run_keeper(const CommandLine& line) {
  rowhouse::set_log_program("keeper");
  // Every file and directory of ours is made with the mode that it needs, whatever our starter's umask takes
  // away.
  ::umask(022);
  if (::geteuid() != 0) {
    std::fputs(
        "rowhoused must be started as root: it starts every customer's processes under their own user\n",
        stderr);
    return 1;
  }
  // What the starter left open by mistake is no program's and no tenant's business.
  if (::close_range(STDERR_FILENO + 1, ~0u, 0) != 0) {
    std::perror("rowhoused: close_range");
    return 1;
  }
  std::vector<std::string> arguments = {"--config", absolute(line.config)};
  if (line.check) arguments.push_back("--check");
  return Keeper(arguments).run();
}

}  // namespace

int main(int argc, char** argv) {
  const CommandLine line = parse_command_line(argc, argv);
  if (!line.valid) {
    std::fputs("usage: rowhoused [--config FILE] [--check | --version]\n", stderr);
    return 2;
  }
  if (line.version) {
    std::puts("rowhoused " ROWHOUSE_VERSION);
    return 0;
  }
  if (!line.supervisor) return run_keeper(line);
  rowhouse::set_log_program("supervisor");
  rowhouse::set_process_name("rowhoused-supervisor");
  Supervisor supervisor(line.config, line.check ? RunMode::kCheck : RunMode::kServe);
  return supervisor.run();
}
