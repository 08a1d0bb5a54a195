#include "gateway/stream.h"

#include <bit>

namespace rowhouse::gateway {
namespace {

using proto::AbortReason;
using proto::FrameType;

Error violation(const char* operation) {
  return make_error(ErrorCode::kInvalid, operation);
}

Status on_data_frame(Stream& stream, std::size_t bytes) {
  if (stream.phase != StreamPhase::kResponded) return violation("DATA before RESPONSE");
  if (bytes > stream.receive_window) return violation("DATA beyond its credit");
  stream.receive_window -= static_cast<std::uint32_t>(bytes);
  return {};
}

Status on_credit_frame(Stream& stream, ByteSpan payload) {
  RH_ASSIGN(const std::uint32_t bytes, proto::parse_credit(payload));
  if (bytes > proto::kMaxWindowBytes - stream.send_window)
    return violation("CREDIT beyond the largest window");
  stream.send_window += bytes;
  return {};
}

Status on_abort_frame(ByteSpan payload) {
  RH_ASSIGN(const AbortReason reason, proto::parse_abort(payload));
  if (reason < AbortReason::kAppFailedAfterHead) return violation("ABORT with a reason of the gateway");
  return {};
}

}  // namespace

Status step_stream(Stream& stream, const proto::Frame& frame) {
  switch (frame.type) {
    case FrameType::kStart:
      if (stream.phase != StreamPhase::kOpened) return violation("second START");
      stream.phase = StreamPhase::kStarted;
      return {};
    case FrameType::kResponse:
      if (stream.phase == StreamPhase::kResponded) return violation("second RESPONSE");
      stream.phase = StreamPhase::kResponded;
      return {};
    case FrameType::kTunnel:
      if (!stream.offers_upgrade) return violation("TUNNEL without UPGRADE");
      if (stream.phase == StreamPhase::kResponded) return violation("TUNNEL after RESPONSE");
      stream.phase = StreamPhase::kResponded;
      return {};
    case FrameType::kData:
      return on_data_frame(stream, frame.payload.size());
    case FrameType::kEnd:
      // A stream that we gave up may end without an answer.
      if (stream.phase != StreamPhase::kResponded && stream.listener != nullptr) {
        return violation("END before RESPONSE");
      }
      return {};
    case FrameType::kAbort:
      return on_abort_frame(frame.payload);
    case FrameType::kCredit:
      return on_credit_frame(stream, frame.payload);
    case FrameType::kHello:
    case FrameType::kRequest:
    case FrameType::kBody:
    case FrameType::kDrain:
      break;
  }
  return violation("frame type");
}

// At most half full, so that a probe is short.
StreamTable::StreamTable(std::size_t max_open) : slots_(std::bit_ceil(2 * max_open), nullptr) {}

Stream* StreamTable::find(std::uint32_t id) const {
  for (std::size_t at = home(id); slots_[at] != nullptr; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at]->id == id) return slots_[at];
  }
  return nullptr;
}

void StreamTable::insert(Stream& stream) {
  std::size_t at = home(stream.id);
  while (slots_[at] != nullptr) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = &stream;
  ++size_;
}

void StreamTable::erase(Stream& stream) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home(stream.id);
  while (slots_[hole] != &stream) hole = (hole + 1) & mask;
  --size_;
  // Moves back what was displaced by the stream that goes.
  for (std::size_t at = (hole + 1) & mask; slots_[at] != nullptr; at = (at + 1) & mask) {
    const std::size_t distance_home = (at - home(slots_[at]->id)) & mask;
    if (distance_home >= ((at - hole) & mask)) {
      slots_[hole] = slots_[at];
      hole = at;
    }
  }
  slots_[hole] = nullptr;
}

}  // namespace rowhouse::gateway
