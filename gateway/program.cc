#include "gateway/program.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "base/message_socket.h"
#include "base/process_name.h"
#include "gateway/caps.h"
#include "gateway/gateway.h"
#include "gateway/walls.h"
#include "proto/lifeline.h"

namespace rowhouse::gateway {
namespace {

constexpr rlim_t kMostDescriptors = 1'000'000;

// Raises the soft limit to the hard one; how many connections that allows, with a reserve for channels and
// files.
Result<std::size_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("getrlimit NOFILE");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("setrlimit NOFILE");
  const rlim_t all = std::min(limit.rlim_cur, kMostDescriptors);
  const rlim_t reserved = std::max<rlim_t>(kMinReservedDescriptors, all / 8);
  return static_cast<std::size_t>(all > reserved ? all - reserved : 1);
}

Status prepare_process() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("prctl NO_NEW_PRIVS");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("prctl DUMPABLE");
  // The supervisor decides when a gateway ends, also when a terminal interrupts the whole group.
  for (const int signal : {SIGPIPE, SIGINT, SIGHUP}) {
    if (std::signal(signal, SIG_IGN) == SIG_ERR) return system_error("signal");
  }
  return set_nonblocking(proto::kControlFd);
}

}  // namespace

int run_program(Walls walls) {
  set_log_program("rowhouse-gateway");
  set_process_name("rowhouse-gateway");
  const Status prepared = prepare_process();
  if (!prepared.ok()) {
    log_error("start-failed", {{"error", prepared.error()}});
    return 1;
  }
  const Result<std::size_t> max_connections = raise_descriptor_limit();
  if (!max_connections.ok()) {
    log_error("start-failed", {{"error", max_connections.error()}});
    return 1;
  }
  const SystemClock clock;
  Gateway gateway(UniqueFd(proto::kControlFd), clock, max_connections.value());
  Status walled;
  if (walls == Walls::kUp) walled = enter_empty_root(proto::kGatewayRootFd);
  if (walls == Walls::kUp && walled.ok()) walled = allow_only_needed_calls();
  if (!walled.ok()) {
    log_error("start-failed", {{"error", walled.error()}});
    return 1;
  }
  return gateway.run();
}

}  // namespace rowhouse::gateway
