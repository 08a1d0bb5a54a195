#include "proto/message.h"

namespace rowhouse::proto {
namespace {

Result<IncomingMessage> open_message(Result<ReceivedMessage> received, ByteSpan buffer) {
  if (!received.ok()) return received.error();
  const ByteSpan bytes = buffer.first(received.value().size);
  ByteReader reader(bytes);
  IncomingMessage message;
  message.type = static_cast<MessageType>(reader.u16());
  if (reader.u16() != kControlProtocolVersion || !reader.ok()) {
    return make_error(ErrorCode::kInvalid, "control message header");
  }
  message.bytes.assign(bytes.begin(), bytes.end());
  message.descriptors = std::move(received.value().descriptors);
  return message;
}

}  // namespace

Result<IncomingMessage> receive_control(int socket) {
  std::array<std::uint8_t, kMaxMessageBytes> buffer;
  return open_message(receive_message(socket, buffer), buffer);
}

Result<IncomingMessage> peek_control(int socket) {
  std::array<std::uint8_t, kMaxMessageBytes> buffer;
  return open_message(peek_message(socket, buffer), buffer);
}

Result<IncomingMessage> wait_for_control(int socket, int timeout_ms) {
  std::array<std::uint8_t, kMaxMessageBytes> buffer;
  return open_message(wait_for_message(socket, buffer, timeout_ms), buffer);
}

}  // namespace rowhouse::proto
