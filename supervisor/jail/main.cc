// rowhouse-jail: builds one sandbox around itself and becomes its steward.  Exec-ed by the supervisor for
// each generation of an app; takes no arguments and reads no file of a stranger's.
//
// Exit status: kJailExitBase + the JailStep that failed, after a JailFailed message where the socket allows
// it and one line on the log.  The steward ends with kJailExitBase when its loop does.
#include <unistd.h>

#include <cstdio>

#include "base/process_name.h"
#include "proto/lifeline.h"
#include "supervisor/jail/request.h"
#include "supervisor/jail/steps.h"
#include "supervisor/jail/steward.h"

namespace rowhouse::jail {
namespace {

[[noreturn]] void fail(proto::JailStep step, const Error& error) {
  ::dprintf(STDERR_FILENO, "rowhouse-jail: %s\n", describe(error).c_str());
  const int reason = error.system_errno != 0 ? error.system_errno : EINVAL;
  // What cannot be sent is said by the exit status all the same.
  static_cast<void>(proto::send_control(proto::kControlFd, proto::JailFailed{step, reason}));
  ::_exit(proto::kJailExitBase + static_cast<int>(step));
}

void require(const Status& status, proto::JailStep step) {
  if (!status.ok()) fail(step, status.error());
}

[[noreturn]] void serve(const SandboxRequest& request, std::uint32_t missing_walls) {
  const WorkerProgram program(request.setup);
  auto workers = WorkerTable::create();
  if (!workers.ok()) fail(proto::JailStep::kNone, workers.error());
  WatchedFiles files(request.setup.home.str(), request.touches);
  Steward steward(proto::kControlFd, program, workers.value(), files);
  require(steward.prepare(), proto::JailStep::kNone);
  require(proto::send_control(proto::kControlFd, proto::StewardReady{missing_walls}), proto::JailStep::kNone);
  fail(proto::JailStep::kNone, steward.run());
}

[[noreturn]] void run() {
  require(start_session(), proto::JailStep::kSession);
  require(close_other_descriptors(), proto::JailStep::kDescriptors);
  auto request = receive_request(proto::kControlFd);
  if (!request.ok()) fail(proto::JailStep::kReceiveSetup, request.error());
  proto::JailStep step = proto::JailStep::kNone;
  const auto missing_walls = build_sandbox(request.value(), step);
  if (!missing_walls.ok()) fail(step, missing_walls.error());
  serve(request.value(), missing_walls.value());
}

}  // namespace
}  // namespace rowhouse::jail

int main() {
  rowhouse::set_process_name("rowhouse-jail");
  rowhouse::jail::run();
}
