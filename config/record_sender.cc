#include "config/record_sender.h"

#include "base/files.h"

namespace rowhouse::config {

bool wait_to_send_again(int socket, const Error& error) {
  if (error.code == ErrorCode::kWouldBlock) {
    pollfd room{socket, POLLOUT, 0};
    return ::poll(&room, 1, -1) >= 0 || errno == EINTR;
  }
  // unix(7): this user has as many descriptors under way as it may have open.  No event says when the
  // supervisor has taken some, so look again after a moment.
  if (error.system_errno == ETOOMANYREFS) return ::poll(nullptr, 0, 1) >= 0 || errno == EINTR;
  return false;
}

void RecordSender::refuse(const Diagnostics& diagnostics, std::string_view file) {
  const std::string text = join_lines(diagnostics.lines(file), proto::kMaxErrorTextBytes);
  const Result<UniqueFd> memory = create_sealed_memory("load-error", as_bytes(text));
  if (!memory.ok()) {
    status_ = memory.error();
    return;
  }
  send(proto::LoadError{}, {memory.value().get()});
}

}  // namespace rowhouse::config
