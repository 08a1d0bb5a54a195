#include "control/access_source.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "base/message_socket.h"

namespace rowhouse::control {

AccessSource::AccessSource(uv_loop_t* loop, UniqueFd socket, std::uint32_t gateway, AccessListener& listener)
    : socket_(std::move(socket)),
      gateway_(gateway),
      listener_(listener),
      poll_(loop, socket_.get(), [this](int) { on_readable(); }) {
  poll_.watch(UV_READABLE);
}

void AccessSource::on_readable() {
  ReadOutcome outcome = ReadOutcome::kRecord;
  for (int records = 0; records < kMaxTurnRecords && outcome < ReadOutcome::kEmpty; ++records) {
    outcome = read_record();
  }
  listener_.on_access_turn_end();
  if (outcome != ReadOutcome::kClosed) return;
  poll_.stop();
  listener_.on_access_closed(gateway_);
}

AccessSource::ReadOutcome AccessSource::read_record() {
  std::array<std::uint8_t, proto::kMaxAccessRecordBytes> room;
  const auto received = receive_message(socket_.get(), room);
  if (!received.ok() && received.error().code == ErrorCode::kWouldBlock) return ReadOutcome::kEmpty;
  if (!received.ok() && received.error().code != ErrorCode::kTooLarge) return ReadOutcome::kClosed;
  const std::size_t size = received.ok() ? received.value().size : 0;
  const ByteSpan bytes = ByteSpan(room).first(size);
  if (proto::is_running_record(bytes)) return take_running(bytes);
  const auto record = proto::parse_access_record(bytes);
  if (!record.ok()) {
    log_warning("access_record_refused", {{"gateway", gateway_}, {"error", record.error()}});
    return ReadOutcome::kRefused;
  }
  listener_.on_access_record(gateway_, record.value());
  return ReadOutcome::kRecord;
}

AccessSource::ReadOutcome AccessSource::take_running(ByteSpan bytes) {
  const auto record = proto::parse_running_record(bytes);
  if (!record.ok()) {
    log_warning("running_record_refused", {{"gateway", gateway_}, {"error", record.error()}});
    return ReadOutcome::kRefused;
  }
  listener_.on_running_record(record.value());
  return ReadOutcome::kRecord;
}

}  // namespace rowhouse::control
