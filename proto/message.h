// The control protocol's codec.  A message is a struct with kType, kDescriptors and fields(); this file turns
// it into its one fixed layout and back: u16 type, u16 version, then the fields in order, integers
// little-endian, Text<N> as 2 + N bytes.  Decoding checks type, version, exact size, number of descriptors,
// enum ranges, bools and text padding, so a decoded message cannot be malformed.
// Page: PROTOCOL.control.md.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/message_socket.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/limits.h"
#include "proto/message_types.h"
#include "proto/text.h"

namespace rowhouse::proto {

class FieldSizer {
 public:
  template <typename... Fields>
  constexpr void operator()(const Fields&... fields) {
    ((size_ += size_of(fields)), ...);
  }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }

 private:
  template <typename Field>
  static constexpr std::size_t size_of(const Field&) {
    return sizeof(Field);
  }
  static constexpr std::size_t size_of(const bool&) { return 1; }
  template <std::size_t N>
  static constexpr std::size_t size_of(const Text<N>&) {
    return 2 + N;
  }
  std::size_t size_ = 0;
};

class FieldWriter {
 public:
  explicit FieldWriter(ByteWriter& writer) : writer_(writer) {}
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }

 private:
  template <std::integral Integer>
  void put(Integer value) {
    writer_.integer(value);
  }
  void put(bool value) { writer_.u8(value ? 1 : 0); }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void put(Enum value) {
    writer_.integer(static_cast<std::underlying_type_t<Enum>>(value));
  }
  template <std::size_t N>
  void put(const std::array<std::uint8_t, N>& bytes) {
    writer_.bytes(bytes);
  }
  template <std::size_t N>
  void put(const Text<N>& text) {
    static constexpr std::array<std::uint8_t, N> kZeros{};
    writer_.u16(static_cast<std::uint16_t>(text.view().size()));
    writer_.bytes(as_bytes(text.view()));
    writer_.bytes(ByteSpan(kZeros).first(N - text.view().size()));
  }
  ByteWriter& writer_;
};

class FieldReader {
 public:
  explicit FieldReader(ByteReader& reader) : reader_(reader) {}
  template <typename... Fields>
  void operator()(Fields&... fields) {
    (get(fields), ...);
  }
  [[nodiscard]] bool valid() const { return valid_; }

 private:
  template <std::integral Integer>
  void get(Integer& value) {
    value = reader_.integer<Integer>();
  }
  void get(bool& value) {
    const std::uint8_t byte = reader_.u8();
    if (byte > 1) valid_ = false;
    value = byte == 1;
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void get(Enum& value) {
    const auto number = reader_.integer<std::underlying_type_t<Enum>>();
    if (!is_value(number, Enum{})) valid_ = false;
    value = static_cast<Enum>(number);
  }
  template <std::size_t N>
  void get(std::array<std::uint8_t, N>& bytes) {
    const ByteSpan source = reader_.bytes(N);
    if (source.size() == N) std::copy(source.begin(), source.end(), bytes.begin());
  }
  template <std::size_t N>
  void get(Text<N>& text) {
    const std::size_t size = reader_.u16();
    const ByteSpan room = reader_.bytes(N);
    if (room.size() != N || size > N) {
      valid_ = false;
      return;
    }
    for (const std::uint8_t padding : room.subspan(size)) valid_ = valid_ && padding == 0;
    text = *Text<N>::from(as_text(room.first(size)));
  }
  template <typename Number, typename Enum>
  static bool is_value(Number number, Enum) {
    if constexpr (std::is_same_v<Enum, Cause>) {
      return is_cause(number);
    } else {
      return number <= static_cast<Number>(last_value(Enum{}));
    }
  }
  ByteReader& reader_;
  bool valid_ = true;
};

template <typename M>
concept ControlMessage = requires { { M::kType } -> std::convertible_to<MessageType>; };

// The size of a message on the wire, header included.
template <ControlMessage M>
[[nodiscard]] constexpr std::size_t wire_size() {
  FieldSizer sizer;
  M message{};
  M::fields(message, sizer);
  return kMessageHeaderBytes + sizer.size();
}

// Writes the message to `room` and returns its bytes, a part of `room`.  REQUIRES: room holds wire_size<M>().
template <ControlMessage M>
[[nodiscard]] ByteSpan encode_message(const M& message, std::span<std::uint8_t> room) {
  static_assert(wire_size<M>() <= kMaxMessageBytes);
  ByteWriter writer(room);
  writer.u16(static_cast<std::uint16_t>(M::kType));
  writer.u16(kControlProtocolVersion);
  FieldWriter fields(writer);
  M::fields(message, fields);
  return writer.written();
}

// A message as it arrived: not yet decoded, its descriptors owned.
struct IncomingMessage {
  MessageType type{};
  std::vector<std::uint8_t> bytes;
  ForeignDescriptors descriptors;
};

// kInvalid unless the bytes are exactly one message of type M with M::kDescriptors descriptors.
template <ControlMessage M>
[[nodiscard]] Result<M> decode_message(ByteSpan bytes, std::size_t descriptors = M::kDescriptors) {
  ByteReader reader(bytes);
  M message{};
  if (bytes.size() != wire_size<M>() || reader.u16() != static_cast<std::uint16_t>(M::kType) ||
      reader.u16() != kControlProtocolVersion || descriptors != M::kDescriptors) {
    return make_error(ErrorCode::kInvalid, "control message");
  }
  FieldReader fields(reader);
  M::fields(message, fields);
  if (!reader.done() || !fields.valid()) return make_error(ErrorCode::kInvalid, "control message fields");
  return message;
}
template <ControlMessage M>
[[nodiscard]] Result<M> decode_message(const IncomingMessage& incoming) {
  return decode_message<M>(incoming.bytes, incoming.descriptors.size());
}

// Sends without blocking; the descriptors stay the caller's.  REQUIRES: M::kDescriptors of them.
template <ControlMessage M>
Status send_control(int socket, const M& message, std::initializer_list<int> descriptors = {}) {
  if (descriptors.size() != M::kDescriptors) return make_error(ErrorCode::kInvalid, "send_control");
  std::array<std::uint8_t, wire_size<M>()> room;
  return send_message(socket, encode_message(message, room),
                      std::span<const int>(descriptors.begin(), descriptors.size()));
}

// The next message of a socket; kWouldBlock, kClosed, or kInvalid for bytes that are no message of ours.
Result<IncomingMessage> receive_control(int socket);
// The same, but the message stays where it is (drop_message).
Result<IncomingMessage> peek_control(int socket);
// Like receive_control, waiting up to `timeout_ms` (-1: for ever).
Result<IncomingMessage> wait_for_control(int socket, int timeout_ms);

}  // namespace rowhouse::proto
