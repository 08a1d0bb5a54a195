#include "supervisor/jail/worker_start.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "proto/lifeline.h"

namespace rowhouse::jail {
namespace {

constexpr int kExitNotStarted = 127;
constexpr int kAboveAll = 16;  // beyond every number that a worker's descriptor is given

// 0, or errno.
int become_leader() {
  sigset_t none;
  sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0 || ::setsid() < 0) return errno;
  return 0;
}

// 0 stays /dev/null; 1 and 2 the log, 3 the lifeline, 4 the worker part; nothing else.  The three may arrive
// at any numbers, so they are moved out of each other's way first.
int arrange_descriptors(const WorkerDescriptors& given) {
  struct Place {
    int from, to;
  };
  std::array<Place, 4> places = {{{given.log, STDOUT_FILENO},
                                  {given.log, STDERR_FILENO},
                                  {given.lifeline, proto::kWorkerLifelineFd},
                                  {given.part, proto::kWorkerPartFd}}};
  for (Place& place : places) {
    place.from = ::fcntl(place.from, F_DUPFD_CLOEXEC, kAboveAll);
    if (place.from < 0) return errno;
  }
  for (const Place& place : places) {
    if (::dup2(place.from, place.to) < 0) return errno;
  }
  return ::close_range(proto::kWorkerPartFd + 1, ~0U, 0) == 0 ? 0 : errno;
}

// The supervisor reads BORN with the credentials that the kernel adds, moves this process into its own
// cgroup, and answers GO.
bool is_sent_off(int lifeline) {
  if (!proto::send_lifeline(lifeline, {proto::LifelineType::kBorn, 0}).ok()) return false;
  std::array<std::uint8_t, proto::kLifelineRecordBytes + 1> buffer;
  const auto received = wait_for_message(lifeline, buffer, -1);
  if (!received.ok() || !received.value().descriptors.empty()) return false;
  const auto record = proto::decode_lifeline(ByteSpan(buffer).first(received.value().size));
  return record.ok() && record.value().type == proto::LifelineType::kGo;
}

}  // namespace

WorkerProgram::WorkerProgram(const proto::JailSetup& setup)
    : name_(setup.tenant.str() + "/" + setup.app.str()),
      home_("HOME=" + setup.home.str()),
      user_("USER=" + setup.user.str()),
      logname_("LOGNAME=" + setup.user.str()) {}

int WorkerProgram::exec(SpawnRole role) const {
  const char* const last = role == SpawnRole::kTemplate ? proto::kTemplateArgument : nullptr;
  const char* arguments[] = {"rowhouse-worker", name_.c_str(), last, nullptr};
  // No TZ: /etc/localtime is the host's.
  const char* environment[] = {home_.c_str(),    user_.c_str(),
                               logname_.c_str(), "PATH=/usr/local/bin:/usr/bin:/bin",
                               "LANG=C.UTF-8",   nullptr};
  ::execve(proto::kWorkerPathInSandbox, const_cast<char**>(arguments), const_cast<char**>(environment));
  return errno;
}

void start_worker(const WorkerProgram& program, SpawnRole role, const WorkerDescriptors& descriptors,
                  StartError& error) {
  int failure = become_leader();
  if (failure == 0) failure = arrange_descriptors(descriptors);
  if (failure == 0 && !is_sent_off(proto::kWorkerLifelineFd)) ::_exit(kExitNotStarted);
  if (failure == 0) failure = program.exec(role);
  error.store(failure, std::memory_order_relaxed);
  ::_exit(kExitNotStarted);
}

}  // namespace rowhouse::jail
