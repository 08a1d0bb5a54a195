#include "worker/birth.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace rowhouse::worker {
namespace {

constexpr int kAboveAll = 16;  // beyond every number that a worker's descriptor is given

void wait_for_end(int pipe) {
  char byte;
  while (::read(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
}

// The app may have closed 0, 1 or 2: what came from the template may stand at any number.
bool arrange_descriptors(const Lifeline::TemplateOrder& order) {
  const int lifeline = ::fcntl(order.lifeline.get(), F_DUPFD_CLOEXEC, kAboveAll);
  const int log = ::fcntl(order.log.get(), F_DUPFD_CLOEXEC, kAboveAll);
  if (lifeline < 0 || log < 0) return false;
  const bool placed = ::dup2(log, STDOUT_FILENO) >= 0 && ::dup2(log, STDERR_FILENO) >= 0 &&
                      ::dup3(lifeline, proto::kWorkerLifelineFd, O_CLOEXEC) >= 0;
  ::close(lifeline);
  ::close(log);
  return placed;
}

bool is_sent_off() {
  if (!proto::send_lifeline(proto::kWorkerLifelineFd, {proto::LifelineType::kBorn, 0}).ok()) return false;
  std::array<std::uint8_t, proto::kLifelineRecordBytes + 1> buffer;
  const auto received = wait_for_message(proto::kWorkerLifelineFd, buffer, -1);
  if (!received.ok() || !received.value().descriptors.empty()) return false;
  const auto record = proto::decode_lifeline(ByteSpan(buffer).first(received.value().size));
  return record.ok() && record.value().type == proto::LifelineType::kGo;
}

}  // namespace

bool be_born(const Lifeline::TemplateOrder& order, int adopted) {
  wait_for_end(adopted);
  return ::setsid() >= 0 && arrange_descriptors(order) && is_sent_off();
}

Result<unsigned> count_threads() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/task"), ::closedir);
  if (directory == nullptr) return system_error("opendir /proc/self/task");
  unsigned threads = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') ++threads;
  }
  return threads;
}

}  // namespace rowhouse::worker
