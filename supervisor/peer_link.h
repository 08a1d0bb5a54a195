// PeerLink: the supervisor's end of one control socket.  Messages go out at once or, when the peer is slow to
// read, wait in a bounded queue with their own copies of the descriptors; the supervisor never blocks on a send.
// A peer that does not read for kStuckAfter, or sends what it may not, is reported as closed once, and its owner
// ends it.
#pragma once

#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/message.h"

namespace rowhouse::supervisor {

class PeerLink {
 public:
  static constexpr std::string_view kClosed = "closed";  // by the peer, or with its process: no fault of either

  struct Events {
    std::function<void(proto::IncomingMessage&)> on_message;  // permitted in the present phase
    std::function<void(const char* reason)> on_closed;        // at most once; nothing follows
  };

  PeerLink(uv_loop_t* loop, UniqueFd socket, proto::Peer peer, Events events);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  // Queues or sends.  Dropped silently once the link is closed: its owner has been told.
  template <proto::ControlMessage M>
  void send(const M& message, std::initializer_list<int> descriptors = {}) {
    static_assert(proto::wire_size<M>() <= proto::kMaxMessageBytes);
    std::array<std::uint8_t, proto::wire_size<M>()> room;
    send_bytes(proto::encode_message(message, room), {descriptors.begin(), descriptors.size()});
  }

  // Nothing is sent any more: the peer reads what waits, then the end of the stream.
  void end();
  // From now on the peer may send what the permit table has for a running peer.
  void set_running() { phase_ = proto::Phase::kRunning; }
  [[nodiscard]] bool running() const { return phase_ == proto::Phase::kRunning; }

 private:
  struct Waiting {
    std::vector<std::uint8_t> bytes;
    std::vector<UniqueFd> descriptors;
  };

  void send_bytes(ByteSpan bytes, std::span<const int> descriptors);
  Status enqueue(ByteSpan bytes, std::span<const int> descriptors);
  void on_ready(int events);
  bool receive_one();
  void flush();
  void close(const char* reason);

  UniqueFd socket_;
  proto::Peer peer_;
  proto::Phase phase_ = proto::Phase::kSetup;
  Events events_;
  std::deque<Waiting> waiting_;
  bool closed_ = false;
  bool ending_ = false;
  Timer stuck_;
  Timer closing_;
  Poll poll_;
};

}  // namespace rowhouse::supervisor
