// One channel, worker's side: cuts what arrives into frames, keeps the table of open streams and their
// credit, collects the frames that leave.  Page: proto/PROTOCOL.request.md.  Knows no Python and takes no
// lock: receive() is called by the one thread that reads, everything else under the Scheduler's lock.
//
// A frame that breaks the page ends the channel, never the worker.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/frames.h"
#include "worker/stream.h"

namespace rowhouse::worker {

// Open streams of one channel: more than any gateway that keeps the page's promise opens.
inline constexpr std::size_t kMaxOpenStreams = proto::kMaxConcurrency + 2 * proto::kMaxPrefetch;
// Past this much unsent output, responses wait.
inline constexpr std::size_t kMaxOutputBytes = 256 * 1024;
// Room for the largest frame and a good read behind it.
inline constexpr std::size_t kInputBytes = 128 * 1024;
// Body bytes that the app has read go back to the gateway as credit in portions of at least this size.
inline constexpr std::uint32_t kCreditPortionBytes = proto::kStreamWindowBytes / 4;

// Told about what arrives, in the order of arrival.
class ChannelListener {
 public:
  // A new stream, queued.
  virtual void on_request(Stream& stream) = 0;
  // Body or credit came, or the stream is gone.  A queued stream that is gone may be closed here.
  virtual void on_stream_changed(Stream& stream) = 0;

 protected:
  ~ChannelListener() = default;
};

enum class FlushState : std::uint8_t { kEmpty, kBlocked };
enum class BodyUnit : std::uint8_t { kBytes, kLine };

class Channel {
 public:
  // Queues the HELLO.  The listener outlives the channel.
  Channel(UniqueFd socket, ChannelListener& listener);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  [[nodiscard]] bool is_closed() const { return !socket_.valid(); }
  [[nodiscard]] bool has_streams() const { return !open_.empty() || !closing_.empty(); }

  // One recv(2).  kClosed at end of file, kWouldBlock when nothing is there.
  Status receive();
  // Takes every whole frame received so far.  An error ends the channel: call close().
  Status process();
  // Closes the socket; every open stream is gone.  Queued ones are closed by the listener.
  void close();

  // The last id that was read is told to the gateway; later ones are discarded.
  void drain();

  // --- one open stream.  On a closed channel these only keep the table.
  void append_start(Stream& stream);
  void append_response(Stream& stream, const proto::ResponseHead& head);
  // The stream becomes a tunnel: BODY is what the client sends from now on.  REQUIRES: offers_upgrade.
  void append_tunnel(Stream& stream, const proto::ResponseHead& head);
  // As much of `bytes` as credit and kMaxOutputBytes allow; returns how much.
  std::size_t append_data(Stream& stream, std::string_view bytes);
  // Close the stream; it must not be used afterwards.
  void append_end(Stream& stream, const proto::End& end);
  void append_abort(Stream& stream, proto::AbortReason reason);
  // Copies body bytes that are here already, up to the end of `room` or through the first line feed, and
  // gives credit back.
  std::size_t take_body(Stream& stream, std::span<char> room, BodyUnit unit);
  // A thread that was blocked on the stream has left it.
  void leave(Stream& stream);

  // --- output
  [[nodiscard]] std::size_t output_bytes() const { return output_.size() - output_sent_; }
  [[nodiscard]] bool has_room() const { return output_bytes() < kMaxOutputBytes; }
  // Tells the streams that found no room that there is some; false when there are none.
  bool tell_room();
  // One send(2).  kBlocked when the socket took less than all.
  Result<FlushState> flush();
  // Whether the last flush was blocked and the socket must become writable first.
  [[nodiscard]] bool is_blocked() const { return blocked_; }
  // When the oldest unsent frame was appended and when the last flush was: kept by the Scheduler.
  Instant output_since{};
  Instant flushed_at{};
  bool awaits_writable = false;

 private:
  Status take_frame(const proto::Frame& frame);
  Status take_hello(const proto::Frame& frame);
  Status take_request(const proto::Frame& frame);
  Status take_body_frame(const proto::Frame& frame);
  Status take_abort(const proto::Frame& frame);
  Status take_credit(const proto::Frame& frame);
  [[nodiscard]] Stream* find(std::uint32_t id);
  [[nodiscard]] std::uint32_t next_id();
  [[nodiscard]] std::unique_ptr<Stream> create_stream(std::uint32_t id);
  void close_stream(Stream& stream);
  void recycle(std::unique_ptr<Stream> stream);

  UniqueFd socket_;
  ChannelListener& listener_;
  std::unique_ptr<std::uint8_t[]> input_;  // kInputBytes, not touched before they are needed
  std::size_t input_bytes_ = 0;
  std::string output_;
  std::size_t output_sent_ = 0;
  bool blocked_ = false;
  bool hello_seen_ = false;
  bool draining_ = false;
  std::uint32_t drained_last_ = 0;
  std::uint32_t peer_window_bytes_ = 0;
  std::uint32_t last_id_ = 0;
  std::vector<std::unique_ptr<Stream>> open_;
  std::vector<std::unique_ptr<Stream>> closing_;  // closed, but a thread is still blocked on them
  std::vector<std::unique_ptr<Stream>> spare_;
};

}  // namespace rowhouse::worker
