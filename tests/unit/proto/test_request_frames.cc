// Frames of the request protocol: golden bytes of the page in both directions, and what one frame may break.
#include <doctest/doctest.h>

#include "page.h"
#include "proto/frames.h"
#include "proto/heads.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.request.md");

Frame parsed(const std::string& bytes, FrameSender sender) {
  const auto frame = parse_frame(as_bytes(bytes), sender);
  REQUIRE(frame.ok());
  REQUIRE(frame.value().has_value());
  REQUIRE(frame.value()->size == bytes.size());
  return frame.value()->frame;
}

bool is_refused(const std::string& bytes, FrameSender sender) {
  return !parse_frame(as_bytes(bytes), sender).ok();
}

// A frame of `type` with a valid payload of `size` zero bytes.
std::string frame_of(FrameType type, std::uint8_t flags, std::uint32_t stream, std::size_t size) {
  std::string out;
  const std::size_t position = begin_frame(out, type, flags, stream);
  out.append(size, '\0');
  finish_frame(out, position);
  return out;
}

TEST_CASE("HELLO has the page's bytes and values") {
  std::string out;
  append_hello(out, kStreamWindowBytes);
  const std::string bytes = golden(kPage, "hello");
  CHECK(out == bytes);
  for (const FrameSender sender : {FrameSender::kGateway, FrameSender::kWorker}) {
    const auto hello = parse_hello(parsed(bytes, sender).payload);
    REQUIRE(hello.ok());
    CHECK(hello.value().version == 1);
    CHECK(hello.value().window_bytes == kStreamWindowBytes);
  }
}

TEST_CASE("BODY, START, DATA, END, ABORT, CREDIT and DRAIN have the page's bytes") {
  const std::pair<std::string, void (*)(std::string&)> frames[] = {
      {"body_last", [](std::string& out) { append_body(out, 2, "hello", BodyPart::kLast); }},
      {"start", [](std::string& out) { append_start(out, 2); }},
      {"data", [](std::string& out) { append_data(out, 1, "ok"); }},
      {"end", [](std::string& out) { append_end(out, 1, {.service_us = 350, .cpu = 101, .gil_wait = 1}); }},
      {"abort", [](std::string& out) { append_abort(out, 3, AbortReason::kClientGone); }},
      {"credit", [](std::string& out) { append_credit(out, 3, 65536); }},
      {"drain", [](std::string& out) { append_drain(out, 9); }},
  };
  for (const auto& [label, append] : frames) {
    CAPTURE(label);
    std::string out;
    append(out);
    CHECK(out == golden(kPage, label));
  }
}

TEST_CASE("the page's small frames parse to the values that the page tells") {
  const std::string body = golden(kPage, "body_last");
  const Frame last = parsed(body, FrameSender::kGateway);
  CHECK(last.last());
  CHECK(last.stream == 2);
  CHECK(as_text(last.payload) == "hello");
  const std::string end = golden(kPage, "end");
  const End told = parse_end(parsed(end, FrameSender::kWorker).payload).value();
  CHECK(told.service_us == 350);
  CHECK(told.cpu == 101);
  CHECK(told.gil_wait == 1);
  const std::string abort = golden(kPage, "abort");
  CHECK(parse_abort(parsed(abort, FrameSender::kGateway).payload).value() == AbortReason::kClientGone);
  const std::string credit = golden(kPage, "credit");
  CHECK(parse_credit(parsed(credit, FrameSender::kWorker).payload).value() == 65536);
  const std::string drain = golden(kPage, "drain");
  CHECK(parse_drain(parsed(drain, FrameSender::kWorker).payload).value() == 9);
}

TEST_CASE("a frame that has not arrived whole is waited for, at every split") {
  const std::string bytes = golden(kPage, "body_last");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto frame = parse_frame(as_bytes(bytes).first(size), FrameSender::kGateway);
    REQUIRE(frame.ok());
    CHECK_FALSE(frame.value().has_value());
  }
}

TEST_CASE("frames glued together are cut one after the other") {
  const std::string bytes = golden(kPage, "start") + golden(kPage, "data");
  const auto first = parse_frame(as_bytes(bytes), FrameSender::kWorker);
  REQUIRE(first.ok());
  CHECK(first.value()->frame.type == FrameType::kStart);
  const auto second = parse_frame(as_bytes(bytes).subspan(first.value()->size), FrameSender::kWorker);
  CHECK(as_text(second.value()->frame.payload) == "ok");
}

TEST_CASE("each side is refused the frames of the other") {
  for (const FrameType type : {FrameType::kRequest, FrameType::kBody}) {
    CHECK_FALSE(is_refused(frame_of(type, 0, 1, 64), FrameSender::kGateway));
    CHECK(is_refused(frame_of(type, 0, 1, 64), FrameSender::kWorker));
  }
  const std::pair<FrameType, std::size_t> worker_frames[] = {
      {FrameType::kStart, 0}, {FrameType::kResponse, 6}, {FrameType::kData, 1}, {FrameType::kEnd, 4}};
  for (const auto& [type, size] : worker_frames) {
    CHECK_FALSE(is_refused(frame_of(type, 0, 1, size), FrameSender::kWorker));
    CHECK(is_refused(frame_of(type, 0, 1, size), FrameSender::kGateway));
  }
  CHECK_FALSE(is_refused(frame_of(FrameType::kDrain, 0, 0, 4), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kDrain, 0, 0, 4), FrameSender::kGateway));
}

TEST_CASE("reserved and unknown frame types are refused from both sides") {
  for (unsigned type = 0; type < 256; ++type) {
    if ((type >= 1 && type <= 10) || type == 12) continue;
    const std::string bytes = frame_of(static_cast<FrameType>(type), 0, 1, 4);
    CHECK(is_refused(bytes, FrameSender::kGateway));
    CHECK(is_refused(bytes, FrameSender::kWorker));
  }
}

TEST_CASE("a flag that the type does not list is refused") {
  CHECK(is_refused(frame_of(FrameType::kData, kFlagLast, 1, 1), FrameSender::kWorker));
  for (unsigned bit = 1; bit < 8; ++bit) {
    CHECK(is_refused(frame_of(FrameType::kBody, static_cast<std::uint8_t>(1u << bit), 1, 1), FrameSender::kGateway));
  }
}

TEST_CASE("the reserved half-word must be zero") {
  std::string bytes = golden(kPage, "start");
  bytes[6] = 1;
  CHECK(is_refused(bytes, FrameSender::kWorker));
}

TEST_CASE("stream 0 is for HELLO and DRAIN, and only for them") {
  CHECK(is_refused(frame_of(FrameType::kHello, 0, 1, 8), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kDrain, 0, 1, 4), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kStart, 0, 0, 0), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kCredit, 0, 0, 4), FrameSender::kGateway));
}

TEST_CASE("a length over the cap is refused from the header alone") {
  const std::pair<FrameType, std::size_t> caps[] = {{FrameType::kResponse, kMaxFramePayloadBytes},
                                                    {FrameType::kData, kMaxDataBytes},
                                                    {FrameType::kEnd, 4}};
  for (const auto& [type, cap] : caps) {
    std::string header = frame_of(type, 0, 1, cap).substr(0, kFrameHeaderBytes);
    CHECK_FALSE(is_refused(header, FrameSender::kWorker));
    header = frame_of(type, 0, 1, cap + 1).substr(0, kFrameHeaderBytes);
    CHECK(is_refused(header, FrameSender::kWorker));
  }
  std::string huge = golden(kPage, "data").substr(0, kFrameHeaderBytes);
  huge.replace(0, 4, "\xff\xff\xff\xff");
  CHECK(is_refused(huge, FrameSender::kWorker));
}

TEST_CASE("a payload below the smallest of its type is refused") {
  CHECK(is_refused(frame_of(FrameType::kData, 0, 1, 0), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kEnd, 0, 1, 3), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kResponse, 0, 1, 5), FrameSender::kWorker));
  CHECK(is_refused(frame_of(FrameType::kBody, 0, 1, 0), FrameSender::kGateway));
  CHECK_FALSE(is_refused(frame_of(FrameType::kBody, kFlagLast, 1, 0), FrameSender::kGateway));
}

TEST_CASE("HELLO of another version, with a reserved bit or without a window is refused") {
  const std::string good = golden(kPage, "hello").substr(kFrameHeaderBytes);
  REQUIRE(parse_hello(as_bytes(good)).ok());
  std::string version = good, reserved = good, none = good, too_large = good;
  version[0] = 2;
  reserved[2] = 1;
  none.replace(4, 4, 4, '\0');
  too_large.replace(4, 4, std::string("\x01\x00\x00\x01", 4));
  for (const std::string& payload : {version, reserved, none, too_large}) {
    CHECK_FALSE(parse_hello(as_bytes(payload)).ok());
  }
}

TEST_CASE("CREDIT of nothing or beyond the largest window is refused") {
  const auto credit = [](std::uint32_t bytes) {
    std::string payload;
    append_integer(payload, bytes);
    return parse_credit(as_bytes(payload)).ok();
  };
  CHECK_FALSE(credit(0));
  CHECK(credit(1));
  CHECK(credit(kMaxWindowBytes));
  CHECK_FALSE(credit(kMaxWindowBytes + 1));
}

TEST_CASE("ABORT with a reason of no table is refused") {
  for (unsigned reason = 0; reason < 256; ++reason) {
    std::string payload;
    append_integer(payload, static_cast<std::uint16_t>(reason));
    append_integer(payload, std::uint16_t{0});
    const bool listed = (reason >= 1 && reason <= 3) || (reason >= 16 && reason <= 18);
    CHECK(parse_abort(as_bytes(payload)).ok() == listed);
  }
}

TEST_CASE("data longer than one frame is cut, and joins to the same bytes") {
  const std::string body(2 * kMaxDataBytes + 5, 'x');
  std::string out;
  append_data(out, 4, body);
  std::string joined;
  std::size_t frames = 0;
  for (ByteSpan rest = as_bytes(out); !rest.empty(); ++frames) {
    const auto frame = parse_frame(rest, FrameSender::kWorker);
    REQUIRE((frame.ok() && frame.value().has_value()));
    joined += as_text(frame.value()->frame.payload);
    rest = rest.subspan(frame.value()->size);
  }
  CHECK(frames == 3);
  CHECK(joined == body);
}

TEST_CASE("a service time that does not fit is told as the largest") {
  std::string out;
  append_end(out, 1, {.service_us = 1'000'000});
  CHECK(parse_end(parsed(out, FrameSender::kWorker).payload).value().service_us == 65535);
}

TEST_CASE("a share above the whole is refused") {
  for (const bool cpu : {true, false}) {
    std::string out;
    append_end(out, 1, {.service_us = 1, .cpu = std::uint8_t(cpu ? 202 : 0), .gil_wait = std::uint8_t(cpu ? 0 : 202)});
    CHECK_FALSE(parse_end(parsed(out, FrameSender::kWorker).payload).ok());
  }
}

TEST_CASE("stream ids are ordered across their wrap") {
  CHECK(is_later_stream(2, 1));
  CHECK_FALSE(is_later_stream(1, 1));
  CHECK_FALSE(is_later_stream(1, 2));
  CHECK(is_later_stream(1, 0xffffffff));
  CHECK_FALSE(is_later_stream(0xffffffff, 1));
}

}  // namespace
}  // namespace rowhouse::proto::test
