#include "gateway/access_log.h"

#include "base/message_socket.h"

namespace rowhouse::gateway {

void AccessLog::record(proto::AccessRecord& record) {
  record.dropped = dropped_;
  encode_access_record(buffer_, record);
  if (send_message(socket_.get(), as_bytes(buffer_)).ok()) {
    dropped_ = 0;
  } else {
    ++dropped_;
  }
}

void AccessLog::record_running(const proto::RunningRecord& record) {
  encode_running_record(buffer_, record);
  [[maybe_unused]] const Status sent = send_message(socket_.get(), as_bytes(buffer_));
}

}  // namespace rowhouse::gateway
