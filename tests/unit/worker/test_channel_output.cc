#include <doctest/doctest.h>

#include "gateway_end.h"

using namespace rowhouse;
using namespace rowhouse::worker;
using namespace rowhouse::worker::testing;

namespace {

std::string credit(std::uint32_t stream, std::uint32_t bytes) {
  std::string out;
  proto::append_credit(out, stream, bytes);
  return out;
}

std::size_t data_bytes(const std::vector<Received>& frames) {
  std::size_t bytes = 0;
  for (const Received& frame : frames) {
    if (frame.type == proto::FrameType::kData) bytes += frame.payload.size();
  }
  return bytes;
}

}  // namespace

TEST_CASE("data never exceeds the window of HELLO and what CREDIT adds") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello(1000) + request(1)).ok());
  Stream& stream = *pair.requests[0];
  const std::string bytes(5000, 'x');
  CHECK(pair.channel.append_data(stream, bytes) == 1000);
  CHECK(pair.channel.append_data(stream, bytes) == 0);
  REQUIRE(pair.feed(credit(1, 1500)).ok());
  CHECK(pair.channel.append_data(stream, bytes) == 1500);
  CHECK(data_bytes(pair.flushed()) == 2500);
}

TEST_CASE("credit beyond the largest window is refused") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1)).ok());
  CHECK_FALSE(pair.feed(credit(1, proto::kMaxWindowBytes)).ok());
}

TEST_CASE("output that nobody reads stops at the cap and goes on when it is read") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello(proto::kMaxWindowBytes) + request(1)).ok());
  Stream& stream = *pair.requests[0];
  const std::string bytes(proto::kMaxWindowBytes, 'x');
  std::size_t accepted = 0;
  while (true) {
    const std::size_t part = pair.channel.append_data(stream, bytes.substr(accepted));
    accepted += part;
    const auto flushed = pair.channel.flush();
    REQUIRE(flushed.ok());
    if (part == 0 && flushed.value() == FlushState::kBlocked) break;
  }
  CHECK(pair.channel.output_bytes() <= kMaxOutputBytes + proto::kFrameHeaderBytes * 16);
  CHECK_FALSE(pair.channel.has_room());
  std::size_t arrived = 0;
  while (pair.channel.output_bytes() != 0) {
    arrived += data_bytes(pair.gateway.receive());
    REQUIRE(pair.channel.flush().ok());
  }
  arrived += data_bytes(pair.gateway.receive());
  CHECK(arrived == accepted);
  CHECK(pair.channel.has_room());
}

TEST_CASE("frames of several streams leave in one write") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1) + request(2)).ok());
  for (Stream* stream : {pair.requests[0], pair.requests[1]}) {
    pair.channel.append_response(*stream, {200, "OK", {}});
    CHECK(pair.channel.append_data(*stream, "ok") == 2);
    pair.channel.append_end(*stream, {.service_us = 7});
  }
  const auto frames = pair.flushed();
  REQUIRE(frames.size() == 7);
  CHECK(frames[3].stream == 1);
  CHECK(frames[6].stream == 2);
  CHECK(proto::parse_end(as_bytes(frames[6].payload)).value().service_us == 7);
}

TEST_CASE("a gateway that has gone is a closed channel, not a signal") {
  ChannelPair pair;
  pair.gateway.close();
  const auto flushed = pair.channel.flush();
  REQUIRE_FALSE(flushed.ok());
  CHECK(flushed.error().code == ErrorCode::kClosed);
}
