// rowhouse-loader: YAML in, validated binary configuration out.  Without arguments it serves the supervisor
// on descriptor 3; with --check it reads files for people.  The only program with a YAML parser; it never
// runs as root in service, and must never be given more than the files it is to read.
#include <cstdio>
#include <iostream>
#include <new>

#include "base/log.h"
#include "base/process_name.h"
#include "config/check_command.h"
#include "config/loader_session.h"
#include "config/process_limits.h"

namespace {

using namespace rowhouse;
using namespace rowhouse::config;

constexpr int kControlSocket = 3;
constexpr int kExitUsage = 2;

constexpr const char* kUsage =
    "usage: rowhouse-loader --check [--kind host|tenant|manifest|auto] [--home DIRECTORY] FILE...\n"
    "Prints FILE:LINE:COLUMN: SENTENCE for every error; exits 0 when there is none, 1 otherwise.\n"
    "--home also compares a manifest with the files below the tenant's home.\n"
    "Without arguments, rowhouse-loader serves rowhoused on descriptor 3.\n";

int serve() {
  const Status confined = refuse_tracers();
  if (!confined.ok()) {
    log_error("loader-start", {{"error", confined.error()}});
    return 1;
  }
  return run_loader_session(kControlSocket, SystemUsers());
}

int check(const std::vector<std::string_view>& arguments) {
  const auto options = parse_check_options(arguments);
  if (!options) {
    std::fputs(kUsage, stderr);
    return kExitUsage;
  }
  return run_check(*options, SystemUsers(), std::cout);
}

int run(int count, char** words) {
  std::vector<std::string_view> arguments(words + std::min(count, 1), words + count);
  if (arguments.empty()) return serve();
  if (arguments[0] == "--help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (arguments[0] != "--check") {
    std::fputs(kUsage, stderr);
    return kExitUsage;
  }
  arguments.erase(arguments.begin());
  return check(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  set_log_program("rowhouse-loader");
  set_process_name("rowhouse-loader");
  const Status confined = confine_process();
  if (!confined.ok()) {
    log_error("loader-start", {{"error", confined.error()}});
    return 1;
  }
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    log_error("loader-ends", {{"error", "a file needs more memory than the loader may have"}});
    return 1;
  }
}
