// A message as the supervisor receives it from a loader.
#pragma once

#include <array>

#include "proto/message.h"

namespace rowhouse::supervisor {

// Its descriptors are invalid ones.
template <proto::ControlMessage M>
proto::IncomingMessage record(const M& message) {
  std::array<std::uint8_t, proto::wire_size<M>()> room;
  const ByteSpan bytes = proto::encode_message(message, room);
  proto::IncomingMessage incoming;
  incoming.type = M::kType;
  incoming.bytes.assign(bytes.begin(), bytes.end());
  incoming.descriptors.resize(M::kDescriptors);
  return incoming;
}

}  // namespace rowhouse::supervisor
