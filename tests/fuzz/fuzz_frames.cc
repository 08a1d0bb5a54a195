// The frames of the request protocol, as a worker and as a gateway would read them: no input harms the
// reader, a part of a frame is never a frame, and what is read is written again byte for byte.
#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/frames.h"
#include "proto/heads.h"
#include "tests/fuzz/require.h"

namespace rowhouse::proto {
namespace {

std::string write_again(const Frame& frame) {
  std::string out;
  FieldRoom room;
  switch (frame.type) {
    case FrameType::kHello: {
      const auto hello = parse_hello(frame.payload);
      if (hello.ok()) append_hello(out, hello.value().window_bytes);
      break;
    }
    case FrameType::kRequest: {
      const auto head = parse_request(frame.payload, room);
      const RequestBody whole = frame.upgrade() ? RequestBody::kUpgrade : RequestBody::kNone;
      const RequestBody body = frame.last() ? whole : RequestBody::kFollows;
      if (head.ok()) append_request(out, frame.stream, head.value(), body);
      break;
    }
    case FrameType::kBody:
      append_body(out, frame.stream, as_text(frame.payload),
                  frame.last() ? BodyPart::kLast : BodyPart::kMore);
      break;
    case FrameType::kStart: append_start(out, frame.stream); break;
    case FrameType::kResponse: {
      const auto head = parse_response(frame.payload, room);
      if (head.ok()) append_response(out, frame.stream, head.value());
      break;
    }
    case FrameType::kData: append_data(out, frame.stream, as_text(frame.payload)); break;
    case FrameType::kEnd: {
      const auto end = parse_end(frame.payload);
      if (end.ok()) append_end(out, frame.stream, end.value());
      break;
    }
    case FrameType::kAbort: {
      const auto reason = parse_abort(frame.payload);
      if (reason.ok()) append_abort(out, frame.stream, reason.value());
      break;
    }
    case FrameType::kCredit: {
      const auto bytes = parse_credit(frame.payload);
      if (bytes.ok()) append_credit(out, frame.stream, bytes.value());
      break;
    }
    case FrameType::kTunnel: {
      const auto head = parse_tunnel(frame.payload, room);
      if (head.ok()) append_tunnel(out, frame.stream, head.value());
      break;
    }
    case FrameType::kDrain:
      if (const auto last = parse_drain(frame.payload); last.ok()) append_drain(out, last.value());
      break;
  }
  return out;
}

void check_parts(ByteSpan bytes, FrameSender sender) {
  for (std::size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 997) {
    const auto part = parse_frame(bytes.first(size), sender);
    require(part.ok() && !part.value(), "a part of a frame is no frame and no error");
  }
}

void read_stream(ByteSpan input, FrameSender sender) {
  while (true) {
    const auto parsed = parse_frame(input, sender);
    if (!parsed.ok() || !parsed.value()) return;
    const ParsedFrame& found = *parsed.value();
    require(found.size == kFrameHeaderBytes + found.frame.payload.size() && found.size <= input.size(),
            "a frame fits");
    check_parts(input.first(found.size), sender);
    const std::string again = write_again(found.frame);
    require(again.empty() || again == as_text(input.first(found.size)), "a frame is written as it was read");
    input = input.subspan(found.size);
  }
}

}  // namespace
}  // namespace rowhouse::proto

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using rowhouse::proto::FrameSender;
  for (const FrameSender sender : {FrameSender::kGateway, FrameSender::kWorker}) {
    rowhouse::proto::read_stream({bytes, size}, sender);
  }
  return 0;
}
