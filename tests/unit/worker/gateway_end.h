// The gateway's end of a channel for tests: sends frames, collects what the worker sends.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/message_socket.h"
#include "proto/frames.h"
#include "proto/heads.h"
#include "worker/channel.h"

namespace rowhouse::worker::testing {

inline proto::RequestHead simple_head() {
  proto::RequestHead head;
  head.method = proto::Method::kGet;
  head.target = head.path_info = "/";
  head.server_name = head.host = "acme.example";
  return head;
}

inline std::string request(std::uint32_t id, proto::RequestBody body = proto::RequestBody::kNone,
                           std::uint64_t body_length = 0) {
  proto::RequestHead head = simple_head();
  head.body_length = body_length;
  std::string out;
  proto::append_request(out, id, head, body);
  return out;
}

inline std::string hello(std::uint32_t window = proto::kStreamWindowBytes) {
  std::string out;
  proto::append_hello(out, window);
  return out;
}

inline std::string body(std::uint32_t id, std::string_view bytes, proto::BodyPart part) {
  std::string out;
  proto::append_body(out, id, bytes, part);
  return out;
}

// One received frame, copied.
struct Received {
  proto::FrameType type{};
  std::uint32_t stream = 0;
  std::string payload;
};

class GatewayEnd {
 public:
  explicit GatewayEnd(UniqueFd socket) : socket_(std::move(socket)) {}
  [[nodiscard]] int descriptor() const { return socket_.get(); }
  void close() { socket_.reset(); }
  void send(const std::string& bytes) {
    REQUIRE(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // Everything that is there now; with `at_least` waits for that many frames.
  std::vector<Received> receive(std::size_t at_least = 0) {
    std::vector<Received> frames;
    char buffer[65536];
    while (true) {
      cut(frames);
      const int flags = frames.size() < at_least ? 0 : MSG_DONTWAIT;
      const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, flags);
      if (count <= 0) break;
      input_.append(buffer, static_cast<std::size_t>(count));
    }
    return frames;
  }

 private:
  void cut(std::vector<Received>& frames) {
    while (true) {
      const auto parsed = proto::parse_frame(as_bytes(input_), proto::FrameSender::kWorker);
      REQUIRE(parsed.ok());
      if (!parsed.value()) return;
      const proto::Frame& frame = parsed.value()->frame;
      frames.push_back({frame.type, frame.stream, std::string(as_text(frame.payload))});
      input_.erase(0, parsed.value()->size);
    }
  }
  UniqueFd socket_;
  std::string input_;
};

// A channel with a recording listener.
struct ChannelPair : ChannelListener {
  ChannelPair() : ChannelPair(create_stream_pair()) {}
  void on_request(Stream& stream) override { requests.push_back(&stream); }
  void on_stream_changed(Stream& stream) override {
    ++changes;
    if (stream.state == StreamState::kQueued && stream.gone) channel.append_end(stream, {});
  }
  // Sends to the worker and lets it process.
  Status feed(const std::string& bytes) {
    gateway.send(bytes);
    while (true) {
      const Status received = channel.receive();
      if (!received.ok()) return received.error().code == ErrorCode::kWouldBlock ? Status() : received;
      const Status processed = channel.process();
      if (!processed.ok()) return processed;
    }
  }
  std::vector<Received> flushed() {
    REQUIRE(channel.flush().ok());
    return gateway.receive();
  }

  GatewayEnd gateway;
  Channel channel;
  std::vector<Stream*> requests;
  unsigned changes = 0;

 private:
  explicit ChannelPair(Result<SocketPair> pair)
      : gateway(std::move(pair.value().ours)), channel(std::move(pair.value().theirs), *this) {}
};

}  // namespace rowhouse::worker::testing
