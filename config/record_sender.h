// Sends the records of one answer and counts them.  Sending waits for a slow supervisor: the loader has
// nothing else to do, and the supervisor ends a loader that takes too long.
#pragma once

#include <poll.h>

#include <cerrno>
#include <initializer_list>

#include "config/diagnostics.h"
#include "proto/live_messages.h"

namespace rowhouse::config {

// Waits until `socket` may be written to after a failed send; false when that failure is final.
[[nodiscard]] bool wait_to_send_again(int socket, const Error& error);

class RecordSender {
 public:
  explicit RecordSender(int socket) : socket_(socket) {}

  // The descriptors stay the caller's.  After the first failure nothing is sent any more.
  template <proto::ControlMessage M>
  void send(const M& message, std::initializer_list<int> descriptors = {}) {
    if (!status_.ok()) return;
    do {
      status_ = proto::send_control(socket_, message, descriptors);
    } while (!status_.ok() && wait_to_send_again(socket_, status_.error()));
    ++records_;
  }
  // Ends the answer: the file is good.
  void finish() { send(proto::Loaded{records_}); }
  // Ends the answer: the file is refused, for these reasons.
  void refuse(const Diagnostics& diagnostics, std::string_view file);
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  int socket_;
  std::uint32_t records_ = 0;
  Status status_;
};

}  // namespace rowhouse::config
