#include "control/ending_text.h"

#include <seccomp.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "proto/jail_messages.h"

namespace rowhouse::control {
namespace {

using proto::Cause;

std::string signal_text(std::int32_t number) {
  if (number >= SIGRTMIN && number <= SIGRTMAX) {
    return number == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
  }
  const char* name = sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

std::string system_call_text(std::int32_t number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string text = name != nullptr ? name : "system call " + std::to_string(number);
  std::free(name);
  return text;
}

std::string_view jail_step_text(std::int32_t number) {
  static constexpr std::string_view kNames[] = {
      "launch",          "receive setup", "join cgroups", "session",
      "descriptors",     "root",          "home",         "temporary directories",
      "devices",         "proc",          "pivot root",   "network",
      "resource limits", "capabilities",  "identity",     "proof",
      "no_new_privs",    "landlock",      "seccomp"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(last_value(proto::JailStep{})) + 1);
  const auto index = static_cast<std::size_t>(number);
  return number >= 0 && index < std::size(kNames) ? kNames[index] : "unknown step";
}

// "limit 128M of the app, of which this worker had 96M".
std::string memory_text(const proto::LimitFacts& limits) {
  if (limits.memory_owner == proto::LimitOwner::kNone) return {};
  const char* owner = limits.memory_owner == proto::LimitOwner::kApp ? " of the app" : " of the plan";
  std::string text = "limit " + size_text(limits.memory_limit_bytes) + owner;
  if (limits.memory_bytes > 0) text += ", of which this worker had " + size_text(limits.memory_bytes);
  return text;
}

std::string forks_text(const proto::LimitFacts& limits) {
  // A start that found no room did not fork: whoever fills the limit was there before.
  if (limits.forks_refused == 0)
    return "the pids limit of " + std::to_string(limits.pids_limit) +
           " is reached, so no process could be added; stop the app, then start it";
  return std::to_string(limits.forks_refused) + " processes or threads were refused by the pids limit of " +
         std::to_string(limits.pids_limit);
}

}  // namespace

bool is_planned_ending(Cause cause) {
  return cause == Cause::kIdle || cause == Cause::kMaxRequests || cause == Cause::kMaxLifetime ||
         cause == Cause::kRestart || cause == Cause::kConfig || cause == Cause::kSuspended || cause == Cause::kShutdown || cause == Cause::kStopped;
}

std::string ending_argument(Cause cause, std::int32_t argument) {
  if (cause == Cause::kExit) return std::to_string(argument);
  if (cause == Cause::kSignal) return signal_text(argument);
  if (cause == Cause::kSeccomp) return system_call_text(argument);
  if (cause == Cause::kImport) {
    return std::string(
        proto::start_step_name(static_cast<proto::StartStep>(static_cast<std::uint16_t>(argument))));
  }
  if (cause == Cause::kSpawn && argument < 0) {
    std::string walls = "missing walls";
    for (const std::string& name : missing_wall_names(0u - static_cast<std::uint32_t>(argument)))
      walls += " " + name;
    return walls;
  }
  if (cause == Cause::kSpawn) return std::string(jail_step_text(argument));
  if (cause == Cause::kHealth) return argument == 0 ? "no answer" : "status " + std::to_string(argument);
  return {};
}

std::string ending_detail(const proto::Ending& ending, std::string_view last_line) {
  std::string detail = ending_argument(ending.cause, ending.argument);
  const bool explains = ending.cause == Cause::kImport || ending.cause == Cause::kSpawn;
  if (explains && !last_line.empty()) detail.append(": ").append(last_line);
  if (ending.cause == Cause::kOom) detail += memory_text(ending.limits);
  if (ending.limits.pids_limit > 0) detail += (detail.empty() ? "" : "; ") + forks_text(ending.limits);
  return detail;
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::string_view kUnits = "BKMGTPE";
  std::uint64_t unit = 1;
  std::size_t index = 0;
  while (bytes / unit >= 1024 && index + 1 < kUnits.size()) {
    unit *= 1024;
    ++index;
  }
  std::string text = std::to_string(bytes / unit);
  const std::uint64_t tenth = unit / 10;
  if (tenth > 0 && bytes % unit >= tenth)
    text += "." + std::to_string(std::min<std::uint64_t>(bytes % unit / tenth, 9));
  return text + kUnits[index];
}

std::string_view cause_sentence(Cause cause) {
  switch (cause) {
    case Cause::kNone: return "";
    case Cause::kExit: return "The worker ended itself.";
    case Cause::kSignal: return "The worker was ended by a signal.";
    case Cause::kOom: return "The worker needed more memory than its limit and was killed by the kernel.";
    case Cause::kSeccomp: return "The worker made a system call that the sandbox does not allow.";
    case Cause::kImport: return "The worker could not load the app.";
    case Cause::kStartTimeout: return "The worker was not ready within the app's startup timeout.";
    case Cause::kRequestTimeout: return "A request took longer than the app's request timeout.";
    case Cause::kIdle: return "The app had no requests for its idle time.";
    case Cause::kMaxRequests: return "The worker had answered its number of requests and was replaced.";
    case Cause::kMaxMemory: return "The worker had grown to its memory mark and was replaced.";
    case Cause::kRestart: return "The app was restarted.";
    case Cause::kConfig: return "The app's configuration changed.";
    case Cause::kSuspended: return "It is suspended: nothing of it runs until the operator lifts that.";
    case Cause::kProtocol: return "The worker broke the protocol with the gateway.";
    case Cause::kSpawn: return "The sandbox or the worker process could not be made.";
    case Cause::kShutdown: return "Rowhouse was shut down.";
    case Cause::kKilled: return "The worker was killed on an operator's order.";
    case Cause::kUnconfined: return "The app ran outside its cgroups, without limits, and was ended.";
    case Cause::kHealth: return "The worker failed its health check.";
    case Cause::kMaxLifetime: return "The worker had run for its lifetime and was replaced.";
    case Cause::kUnresponsive: return "The process did not answer the supervisor and was ended.";
    case Cause::kBadRequest: return "The request was malformed.";
    case Cause::kNoRoute: return "No app is mounted at this path.";
    case Cause::kClientTimeout: return "The client was too slow.";
    case Cause::kTooLarge: return "The request was too large.";
    case Cause::kNoHost: return "No tenant serves this host.";
    case Cause::kRate: return "The tenant's request rate was exceeded.";
    case Cause::kWorkerGone: return "The worker died while it answered.";
    case Cause::kBadResponse: return "The app's response cannot be sent.";
    case Cause::kQueueFull: return "The app's queue was full.";
    case Cause::kQueueTimeout: return "The request waited too long in the app's queue.";
    case Cause::kBackoff: return "The app failed and waits for its next start.";
    case Cause::kStopped: return "The app is stopped.";
    case Cause::kForbidden: return "The static file may not be served.";
    case Cause::kAppError: return "The app raised an error; its log has the traceback.";
    case Cause::kFileMode: return "The static file, or a directory on the way to it, is closed to others: chmod o+r, o+x.";
    case Cause::kFileOwner: return "The static file belongs to another user; copy it.";
    case Cause::kFileLinks: return "The static file has several hard links; copy it.";
    case Cause::kConnections: return "The tenant had as many client connections as its plan allows.";
    case Cause::kSpool: return "The disk of the gateway's spool directory did not give back a request's body.";
  }
  return "";
}

bool is_file_refusal(Cause cause) {
  return cause == Cause::kFileMode || cause == Cause::kFileOwner || cause == Cause::kFileLinks;
}

std::string code_and_detail(Cause cause, std::string_view detail) {
  std::string text(proto::cause_name(cause));
  if (!detail.empty()) text.append(" ").append(detail);
  return text;
}

std::string death_line(std::uint32_t generation, std::uint32_t worker, Cause cause, std::string_view detail) {
  const char* verb = is_planned_ending(cause) ? " ended: " : worker == 0 ? " failed: " : " died: ";
  std::string subject = worker == 0 ? "the sandbox of generation " + std::to_string(generation)
                                    : "worker " + std::to_string(worker);
  return subject + verb + code_and_detail(cause, detail);
}

std::vector<std::string> missing_wall_names(std::uint32_t bits) {
  using proto::Wall;
  static constexpr std::pair<Wall, const char*> kWalls[] = {{Wall::kLandlock, "landlock"},
                                                            {Wall::kLandlockScopes, "landlock-scopes"},
                                                            {Wall::kPrivateNetwork, "private-network"},
                                                            {Wall::kMemoryLimit, "memory-limit"},
                                                            {Wall::kPidsLimit, "pids-limit"},
                                                            {Wall::kCpuLimit, "cpu-limit"},
                                                            {Wall::kCgroupKill, "cgroup-kill"},
                                                            {Wall::kSwapLimit, "swap-limit"},
                                                            {Wall::kMemoryHigh, "memory-high"},
                                                            {Wall::kCpuWeight, "cpu-weight"},
                                                            {Wall::kIoWeight, "io-weight"},
                                                            {Wall::kIoLimit, "io-limit"},
                                                            {Wall::kIoBufferedWrites, "io-buffered-writes"},
                                                            {Wall::kConnectPorts, "connect-ports"}};
  std::vector<std::string> names;
  for (const auto& [wall, name] : kWalls) {
    if ((bits & static_cast<std::uint32_t>(wall)) != 0) names.emplace_back(name);
  }
  return names;
}

}  // namespace rowhouse::control
