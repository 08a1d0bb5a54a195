// The gateway's end of the access log: one record for each answered request, to rowhouse-control.  Never
// blocks: what does not fit the socket is dropped and counted, and the next record that is sent carries the
// count.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "proto/access_record.h"
#include "proto/running_record.h"

namespace rowhouse::gateway {

class AccessLog {
 public:
  // A seqpacket socket.
  explicit AccessLog(UniqueFd socket) : socket_(std::move(socket)) {}

  // Sets `record.dropped` and sends it, or counts it as dropped.
  void record(proto::AccessRecord& record);
  // A lost one is missed by nobody but the reader of a story.
  void record_running(const proto::RunningRecord& record);
  // Records that were lost and not yet reported.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  UniqueFd socket_;
  std::uint64_t dropped_ = 0;
  std::string buffer_;
};

}  // namespace rowhouse::gateway
