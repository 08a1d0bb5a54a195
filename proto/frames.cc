#include "proto/frames.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace rowhouse::proto {
namespace {

struct FrameRule {
  bool from_gateway = false;
  bool from_worker = false;
  bool on_stream = false;  // else on stream 0
  std::uint8_t flags = 0;
  std::uint32_t min_payload = 0;
  std::uint32_t max_payload = 0;
};

constexpr std::size_t kFrameTypes = 13;
constexpr std::uint32_t kMinRequestPayload = 4 + 4 + 8 + 4 + 9 * 2 + 2;
constexpr std::uint32_t kMinResponsePayload = 6;

// One row per type number; a row that nobody may send is no frame.
constexpr std::array<FrameRule, kFrameTypes> kRules = {{
    {},
    {true, true, false, 0, 8, 8},
    {true, false, true, kFlagLast | kFlagUpgrade, kMinRequestPayload, kMaxFramePayloadBytes},
    {true, false, true, kFlagLast, 0, kMaxDataBytes},
    {false, true, true, 0, 0, 0},
    {false, true, true, 0, kMinResponsePayload, kMaxFramePayloadBytes},
    {false, true, true, 0, 1, kMaxDataBytes},
    {false, true, true, 0, 4, 4},
    {true, true, true, 0, 4, 4},
    {true, true, true, 0, 4, 4},
    {false, true, false, 0, 4, 4},
    {},
    {false, true, true, 0, kMinResponsePayload, kMaxFramePayloadBytes},
}};

Error invalid(const char* operation) { return make_error(ErrorCode::kInvalid, operation); }

Result<std::uint32_t> parse_u32(ByteSpan payload, const char* operation) {
  ByteReader reader(payload);
  const std::uint32_t value = reader.u32();
  if (!reader.done()) return invalid(operation);
  return value;
}

}  // namespace

Result<std::optional<ParsedFrame>> parse_frame(ByteSpan input, FrameSender sender) {
  if (input.size() < kFrameHeaderBytes) return std::optional<ParsedFrame>();
  ByteReader reader(input);
  const std::uint32_t length = reader.u32();
  const std::uint8_t type = reader.u8();
  const std::uint8_t flags = reader.u8();
  const std::uint16_t reserved = reader.u16();
  const std::uint32_t stream = reader.u32();
  if (type >= kFrameTypes) return invalid("frame type");
  const FrameRule& rule = kRules[type];
  if (!(sender == FrameSender::kGateway ? rule.from_gateway : rule.from_worker)) return invalid("frame type");
  if ((flags & ~rule.flags) != 0 || reserved != 0) return invalid("frame flags");
  if ((stream != 0) != rule.on_stream) return invalid("frame stream");
  if (length > rule.max_payload) return make_error(ErrorCode::kTooLarge, "frame payload");
  if (length < rule.min_payload) return invalid("frame payload");
  if (type == static_cast<std::uint8_t>(FrameType::kBody) && length == 0 && flags == 0) {
    return invalid("frame payload");
  }
  // A request to switch protocols is a whole one: what follows it belongs to the other protocol.
  if ((flags & kFlagUpgrade) != 0 && (flags & kFlagLast) == 0) return invalid("frame flags");
  if (reader.remaining() < length) return std::optional<ParsedFrame>();
  const Frame frame{static_cast<FrameType>(type), flags, stream, reader.bytes(length)};
  return std::optional<ParsedFrame>(ParsedFrame{frame, kFrameHeaderBytes + length});
}

Result<Hello> parse_hello(ByteSpan payload) {
  ByteReader reader(payload);
  Hello hello;
  hello.version = reader.u16();
  const std::uint16_t reserved = reader.u16();
  hello.window_bytes = reader.u32();
  if (!reader.done() || reserved != 0 || hello.version != kRequestProtocolVersion ||
      hello.window_bytes == 0 || hello.window_bytes > kMaxWindowBytes) {
    return invalid("HELLO");
  }
  return hello;
}

Result<End> parse_end(ByteSpan payload) {
  ByteReader reader(payload);
  End end;
  end.service_us = reader.u16();
  end.cpu = reader.u8();
  end.gil_wait = reader.u8();
  if (!reader.done() || end.cpu > kMaxEndShare || end.gil_wait > kMaxEndShare) return invalid("END");
  return end;
}

Result<AbortReason> parse_abort(ByteSpan payload) {
  ByteReader reader(payload);
  const auto reason = static_cast<AbortReason>(reader.u16());
  const std::uint16_t reserved = reader.u16();
  if (!reader.done() || reserved != 0) return invalid("ABORT");
  switch (reason) {
    case AbortReason::kClientGone:
    case AbortReason::kRequestTimeout:
    case AbortReason::kBadResponse:
    case AbortReason::kAppFailedAfterHead:
    case AbortReason::kAppFailedBeforeHead:
    case AbortReason::kShortBody: return reason;
  }
  return invalid("ABORT");
}

Result<std::uint32_t> parse_credit(ByteSpan payload) {
  RH_ASSIGN(const std::uint32_t bytes, parse_u32(payload, "CREDIT"));
  if (bytes == 0 || bytes > kMaxWindowBytes) return invalid("CREDIT");
  return bytes;
}

Result<std::uint32_t> parse_drain(ByteSpan payload) { return parse_u32(payload, "DRAIN"); }

std::size_t begin_frame(std::string& out, FrameType type, std::uint8_t flags, std::uint32_t stream) {
  const std::size_t position = out.size();
  append_integer(out, std::uint32_t{0});
  append_integer(out, static_cast<std::uint8_t>(type));
  append_integer(out, flags);
  append_integer(out, std::uint16_t{0});
  append_integer(out, stream);
  return position;
}

void finish_frame(std::string& out, std::size_t header_position) {
  const auto length = static_cast<std::uint32_t>(out.size() - header_position - kFrameHeaderBytes);
  std::memcpy(out.data() + header_position, &length, sizeof length);
}

void append_text16(std::string& out, std::string_view text) {
  append_integer(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

void append_hello(std::string& out, std::uint32_t window_bytes) {
  const std::size_t frame = begin_frame(out, FrameType::kHello, 0, 0);
  append_integer(out, kRequestProtocolVersion);
  append_integer(out, std::uint16_t{0});
  append_integer(out, window_bytes);
  finish_frame(out, frame);
}

void append_body(std::string& out, std::uint32_t stream, std::string_view bytes, BodyPart part) {
  const std::uint8_t flags = part == BodyPart::kLast ? kFlagLast : 0;
  const std::size_t frame = begin_frame(out, FrameType::kBody, flags, stream);
  out.append(bytes);
  finish_frame(out, frame);
}

void append_start(std::string& out, std::uint32_t stream) {
  finish_frame(out, begin_frame(out, FrameType::kStart, 0, stream));
}

void append_data(std::string& out, std::uint32_t stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kMaxDataBytes);
    const std::size_t frame = begin_frame(out, FrameType::kData, 0, stream);
    out.append(part);
    finish_frame(out, frame);
    bytes.remove_prefix(part.size());
  }
}

void append_end(std::string& out, std::uint32_t stream, const End& end) {
  const std::size_t frame = begin_frame(out, FrameType::kEnd, 0, stream);
  append_integer(out, static_cast<std::uint16_t>(std::min<std::uint64_t>(end.service_us, 0xffff)));
  append_integer(out, end.cpu);
  append_integer(out, end.gil_wait);
  finish_frame(out, frame);
}

void append_abort(std::string& out, std::uint32_t stream, AbortReason reason) {
  const std::size_t frame = begin_frame(out, FrameType::kAbort, 0, stream);
  append_integer(out, static_cast<std::uint16_t>(reason));
  append_integer(out, std::uint16_t{0});
  finish_frame(out, frame);
}

void append_credit(std::string& out, std::uint32_t stream, std::uint32_t bytes) {
  const std::size_t frame = begin_frame(out, FrameType::kCredit, 0, stream);
  append_integer(out, bytes);
  finish_frame(out, frame);
}

void append_drain(std::string& out, std::uint32_t last_stream) {
  const std::size_t frame = begin_frame(out, FrameType::kDrain, 0, 0);
  append_integer(out, last_stream);
  finish_frame(out, frame);
}

}  // namespace rowhouse::proto
