#include <doctest/doctest.h>

#include "gateway_end.h"

using namespace rowhouse;
using namespace rowhouse::worker;
using namespace rowhouse::worker::testing;

TEST_CASE("hello is sent first and unasked") {
  ChannelPair pair;
  const auto frames = pair.flushed();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == proto::FrameType::kHello);
}

TEST_CASE("a frame before HELLO is refused") {
  ChannelPair pair;
  CHECK_FALSE(pair.feed(request(1)).ok());
}

TEST_CASE("a second HELLO is refused") {
  ChannelPair pair;
  CHECK_FALSE(pair.feed(hello() + hello()).ok());
}

TEST_CASE("requests are told in the order of arrival with their heads") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1) + request(2)).ok());
  REQUIRE(pair.requests.size() == 2);
  CHECK(pair.requests[0]->id == 1);
  CHECK(pair.requests[1]->id == 2);
  CHECK(pair.requests[0]->head.path_info == "/");
  CHECK(pair.requests[0]->body_complete);
}

TEST_CASE("a stream id that is not the next is refused") {
  for (const std::uint32_t id : {2u, 7u}) {
    ChannelPair pair;
    CHECK_FALSE(pair.feed(hello() + request(id)).ok());
  }
  ChannelPair pair;
  CHECK_FALSE(pair.feed(hello() + request(1) + request(1)).ok());
}

TEST_CASE("a frame split at any byte is understood") {
  const std::string bytes =
      hello() + request(1, proto::RequestBody::kFollows, 3) + body(1, "abc", proto::BodyPart::kLast);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    ChannelPair pair;
    REQUIRE(pair.feed(bytes.substr(0, cut)).ok());
    REQUIRE(pair.feed(bytes.substr(cut)).ok());
    REQUIRE(pair.requests.size() == 1);
    CHECK(pair.requests[0]->body == "abc");
    CHECK(pair.requests[0]->body_complete);
  }
}

TEST_CASE("body beyond the credit is refused") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1, proto::RequestBody::kFollows, proto::kUnknownLength)).ok());
  const std::string part(proto::kMaxDataBytes, 'x');
  for (std::uint32_t sent = 0; sent < proto::kStreamWindowBytes; sent += proto::kMaxDataBytes) {
    REQUIRE(pair.feed(body(1, part, proto::BodyPart::kMore)).ok());
  }
  CHECK_FALSE(pair.feed(body(1, "x", proto::BodyPart::kMore)).ok());
}

TEST_CASE("body that does not fit its announced length is refused") {
  ChannelPair longer;
  CHECK_FALSE(longer
                  .feed(hello() + request(1, proto::RequestBody::kFollows, 2) +
                        body(1, "abc", proto::BodyPart::kLast))
                  .ok());
  ChannelPair shorter;
  CHECK_FALSE(shorter
                  .feed(hello() + request(1, proto::RequestBody::kFollows, 4) +
                        body(1, "abc", proto::BodyPart::kLast))
                  .ok());
  ChannelPair none;
  CHECK_FALSE(none.feed(hello() + request(1, proto::RequestBody::kNone, 4)).ok());
}

TEST_CASE("body after the last is refused") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1)).ok());
  CHECK_FALSE(pair.feed(body(1, "x", proto::BodyPart::kLast)).ok());
}

TEST_CASE("credit is given back as the app reads and restores the window") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1, proto::RequestBody::kFollows, proto::kUnknownLength)).ok());
  static_cast<void>(pair.flushed());
  Stream& stream = *pair.requests[0];
  const std::string part(proto::kMaxDataBytes, 'x');
  std::string room(proto::kMaxDataBytes, '\0');
  std::uint64_t credit = 0;
  for (int i = 0; i < 64; ++i) {
    REQUIRE(pair.feed(body(1, part, proto::BodyPart::kMore)).ok());
    CHECK(pair.channel.take_body(stream, room, BodyUnit::kBytes) == part.size());
    for (const Received& frame : pair.flushed()) {
      REQUIRE(frame.type == proto::FrameType::kCredit);
      const auto bytes = proto::parse_credit(as_bytes(frame.payload));
      REQUIRE(bytes.ok());
      credit += bytes.value();
    }
  }
  CHECK(credit == 64 * part.size());
  CHECK(stream.body_credit_bytes == proto::kStreamWindowBytes);
}

TEST_CASE("a line ends at its line feed or at the end of the room") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1, proto::RequestBody::kFollows, 8) +
                    body(1, "ab\ncdefg", proto::BodyPart::kLast))
              .ok());
  Stream& stream = *pair.requests[0];
  char room[4];
  CHECK(pair.channel.take_body(stream, room, BodyUnit::kLine) == 3);
  CHECK(pair.channel.take_body(stream, room, BodyUnit::kLine) == 4);
  CHECK(pair.channel.take_body(stream, room, BodyUnit::kLine) == 1);
  CHECK(pair.channel.take_body(stream, room, BodyUnit::kLine) == 0);
}

TEST_CASE("a queued request that is given up is closed without having run") {
  ChannelPair pair;
  std::string abort;
  proto::append_abort(abort, 1, proto::AbortReason::kClientGone);
  REQUIRE(pair.feed(hello() + request(1) + abort).ok());
  CHECK_FALSE(pair.channel.has_streams());
  const auto frames = pair.flushed();
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].type == proto::FrameType::kEnd);
}

TEST_CASE("frames that crossed the end of their stream are discarded") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1, proto::RequestBody::kFollows, 3)).ok());
  pair.requests[0]->state = StreamState::kRunning;
  pair.channel.append_end(*pair.requests[0], {.service_us = 5});
  std::string late = body(1, "abc", proto::BodyPart::kLast);
  proto::append_credit(late, 1, 10);
  proto::append_abort(late, 1, proto::AbortReason::kClientGone);
  CHECK(pair.feed(late).ok());
  CHECK(pair.feed(request(2)).ok());
  CHECK(pair.requests.size() == 2);
}

TEST_CASE("more open streams than the cap end the channel") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello()).ok());
  for (std::uint32_t id = 1; id <= kMaxOpenStreams; ++id) REQUIRE(pair.feed(request(id)).ok());
  const Status status = pair.feed(request(kMaxOpenStreams + 1));
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kTooLarge);
}

TEST_CASE("after drain later requests are discarded and earlier ones stay") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1)).ok());
  pair.channel.drain();
  pair.channel.drain();
  REQUIRE(pair.feed(request(2) + request(3, proto::RequestBody::kFollows, 1) +
                    body(3, "x", proto::BodyPart::kLast))
              .ok());
  CHECK(pair.requests.size() == 1);
  const auto frames = pair.flushed();
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].type == proto::FrameType::kDrain);
  CHECK(proto::parse_drain(as_bytes(frames[1].payload)).value() == 1);
}

TEST_CASE("a stream that a thread still waits on is not reused") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1)).ok());
  Stream& stream = *pair.requests[0];
  stream.users = 1;
  pair.channel.append_end(stream, {});
  CHECK(pair.channel.has_streams());
  REQUIRE(pair.feed(request(2)).ok());
  CHECK(pair.requests[1] != &stream);
  pair.channel.leave(stream);
  REQUIRE(pair.feed(request(3)).ok());
  CHECK(pair.requests[2] == &stream);
}

TEST_CASE("the end of the channel makes every open stream gone") {
  ChannelPair pair;
  REQUIRE(pair.feed(hello() + request(1) + request(2)).ok());
  pair.requests[0]->state = StreamState::kRunning;
  pair.gateway.close();
  const Status status = pair.channel.receive();
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kClosed);
  pair.channel.close();
  CHECK(pair.requests[0]->gone);
  CHECK(pair.channel.has_streams());
  pair.channel.append_end(*pair.requests[0], {.service_us = 1});
  CHECK_FALSE(pair.channel.has_streams());
}
