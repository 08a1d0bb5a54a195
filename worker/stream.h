// One request on one channel, as the worker sees it: its head, what has arrived of its body, what its
// response may still send.  Streams belong to their channel, which reuses them; everything here is guarded by
// the lock of the Scheduler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "proto/heads.h"

namespace rowhouse::worker {

class Channel;

enum class StreamState : std::uint8_t { kQueued, kRunning, kClosed };

struct Stream {
  Channel* channel = nullptr;
  std::uint32_t id = 0;
  StreamState state = StreamState::kQueued;
  bool gone = false;   // given up by the gateway, or the channel ended: nobody reads what is sent
  bool offers_upgrade = false;  // the client offers to speak WebSocket
  bool changed = false;  // of an event loop: something came since it was last told
  void* observer = nullptr;  // of an event loop: its own object for this stream, while there is one
  bool wants_room = false;  // data waits for room in the channel's output
  Instant begun{};       // of an event loop: when it was handed over
  unsigned users = 0;  // threads that are blocked on this stream; it is not reused before they have left

  // The head is borrowed from `payload` and `room`.
  std::string payload;
  proto::FieldRoom room;
  proto::RequestHead head;

  // Request body: what has arrived and was not read yet begins at `body_start`.
  std::string body;
  std::size_t body_start = 0;
  std::uint64_t body_received_bytes = 0;
  bool body_complete = false;
  std::uint32_t body_credit_bytes = 0;  // what the gateway may still send
  std::uint32_t body_taken_bytes = 0;   // read by the app and not yet given back as credit

  std::uint32_t send_credit_bytes = 0;  // what the response may still send

  [[nodiscard]] std::size_t body_available() const { return body.size() - body_start; }
};

}  // namespace rowhouse::worker
