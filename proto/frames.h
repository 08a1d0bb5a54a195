// The frames of the request protocol.  Page: PROTOCOL.request.md.
//
// Writers append whole frames to a caller's std::string, the side's output buffer, so that the frames of one
// loop turn leave in one write.  FrameReader cuts a byte stream into frames and refuses what breaks a rule that
// can be seen from one frame alone; the order of frames is checked by the two stream tables (gateway, worker).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/limits.h"

namespace rowhouse::proto {

enum class FrameType : std::uint8_t {
  kHello = 1,
  kRequest = 2,
  kBody = 3,
  kStart = 4,
  kResponse = 5,
  kData = 6,
  kEnd = 7,
  kAbort = 8,
  kCredit = 9,
  kDrain = 10,
  // 11 is reserved for interim responses.
  kTunnel = 12,
};

inline constexpr std::uint8_t kFlagLast = 1;     // REQUEST and BODY
inline constexpr std::uint8_t kFlagUpgrade = 2;  // REQUEST: the client offers to speak WebSocket

enum class AbortReason : std::uint16_t {
  kClientGone = 1,
  kRequestTimeout = 2,
  kBadResponse = 3,
  kAppFailedAfterHead = 16,
  kAppFailedBeforeHead = 17,
  kShortBody = 18,
};

// Which side's frames a reader accepts.
enum class FrameSender : std::uint8_t { kGateway, kWorker };

struct Frame {
  FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  ByteSpan payload;  // borrowed from the reader's input
  [[nodiscard]] bool last() const { return (flags & kFlagLast) != 0; }
  [[nodiscard]] bool upgrade() const { return (flags & kFlagUpgrade) != 0; }
};

// The next frame at the beginning of `input` and how many bytes it takes; nothing when more bytes are needed;
// kInvalid or kTooLarge as soon as the header shows it, before the payload has arrived.
struct ParsedFrame {
  Frame frame;
  std::size_t size = 0;
};
[[nodiscard]] Result<std::optional<ParsedFrame>> parse_frame(ByteSpan input, FrameSender sender);

// Payloads of fixed size; kInvalid when a value breaks the page's rule.
struct Hello {
  std::uint16_t version = 0;
  std::uint32_t window_bytes = 0;
};
[[nodiscard]] Result<Hello> parse_hello(ByteSpan payload);

// What END says of a request: the worker's own word.
struct End {
  std::uint64_t service_us = 0;  // at most 65,535 on the wire
  // Shares of the service time: 0: not known, else 1 and the share in 200ths.
  std::uint8_t cpu = 0;
  std::uint8_t gil_wait = 0;
};
inline constexpr std::uint8_t kMaxEndShare = 201;
[[nodiscard]] Result<End> parse_end(ByteSpan payload);
[[nodiscard]] Result<AbortReason> parse_abort(ByteSpan payload);
[[nodiscard]] Result<std::uint32_t> parse_credit(ByteSpan payload);     // bytes, at least 1
[[nodiscard]] Result<std::uint32_t> parse_drain(ByteSpan payload);      // last stream

void append_hello(std::string& out, std::uint32_t window_bytes);
// REQUIRES: bytes.size() <= kMaxDataBytes, and not empty unless `last`.
enum class BodyPart : std::uint8_t { kMore, kLast };
void append_body(std::string& out, std::uint32_t stream, std::string_view bytes, BodyPart part);
void append_start(std::string& out, std::uint32_t stream);
// Cut into frames of kMaxDataBytes; nothing for no bytes.
void append_data(std::string& out, std::uint32_t stream, std::string_view bytes);
void append_end(std::string& out, std::uint32_t stream, const End& end);
void append_abort(std::string& out, std::uint32_t stream, AbortReason reason);
void append_credit(std::string& out, std::uint32_t stream, std::uint32_t bytes);
void append_drain(std::string& out, std::uint32_t last_stream);

// Writes a frame header whose length is not known yet, and its length afterwards.
[[nodiscard]] std::size_t begin_frame(std::string& out, FrameType type, std::uint8_t flags, std::uint32_t stream);
void finish_frame(std::string& out, std::size_t header_position);

// Little-endian integers and text16 at the end of a buffer.
template <typename Integer>
void append_integer(std::string& out, Integer value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
// REQUIRES: text.size() <= 65,535.
void append_text16(std::string& out, std::string_view text);

// True when stream `id` comes after `last` in the order in which ids are given out.
[[nodiscard]] inline bool is_later_stream(std::uint32_t id, std::uint32_t last) {
  return static_cast<std::int32_t>(id - last) > 0;
}

}  // namespace rowhouse::proto
