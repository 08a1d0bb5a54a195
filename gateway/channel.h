// The gateway's end of a channel: frames in and out, the table of open streams, credit.  The worker is
// presumed hostile: whatever breaks a rule of the page ends the channel and is reported to the owner.  Frames
// of one turn of the loop leave in one write.
//
// Page: proto/PROTOCOL.request.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "gateway/byte_queue.h"
#include "gateway/stream.h"
#include "gateway/workbench.h"

namespace rowhouse::gateway {

enum class ChannelState : std::uint8_t {
  kGreeting,  // no HELLO from the worker yet
  kOpen,
  kDraining,  // the worker takes no more streams
  kEnded,
};

enum class ChannelEnd : std::uint8_t {
  kClosed,    // end of file or a reset: the worker may be dead
  kDrained,   // the same after DRAIN: the worker is about to leave
  kViolated,  // the worker broke the protocol
};

class ChannelListener {
 public:
  virtual ~ChannelListener() = default;
  // Room for requests may have appeared.
  virtual void on_channel_room() = 0;
  // A stream was closed: ended (`service_us` is the worker's own word), aborted or lost.
  virtual void on_stream_closed(std::optional<std::uint16_t> service_us) = 0;
  // Somebody has stopped waiting for a stream that is still open.
  virtual void on_stream_given_up() = 0;
  // Nobody listens any more to a stream, and its time is over.
  virtual void on_given_up_time_over(const Stream& stream) = 0;
  // The worker was lost with a stream that it may have run and that nobody listens to any more.
  virtual void on_given_up_lost(const Stream& stream) = 0;
  // All streams have been told; the socket is closed.
  virtual void on_channel_end(ChannelEnd end) = 0;
};

class Channel {
 public:
  // At most `max_streams` are open at a time.
  Channel(Workbench& bench, UniqueFd socket, std::size_t max_streams, ChannelListener& listener);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] ChannelState state() const { return state_; }
  // True when a stream may be opened.
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] std::size_t open_streams() const { return streams_.size(); }
  // Of the open ones: nobody waits for their answer.
  [[nodiscard]] std::size_t given_up_streams() const { return given_up_; }
  [[nodiscard]] std::size_t unsent_bytes() const { return output_.size(); }
  // What broke the protocol, for the log.
  [[nodiscard]] const Error& violation() const { return violation_; }

  // Sends a frame of encode_request on a new stream.  REQUIRES: has_room().
  Stream& open(std::string& request_frame, StreamListener& listener, Instant deadline);
  // How much request body may be sent now.
  [[nodiscard]] std::size_t body_room(const Stream& stream);
  // REQUIRES: bytes.size() <= body_room().
  void send_body(Stream& stream, std::string_view bytes, proto::BodyPart part);
  // The worker may send so many bytes of DATA more.
  void grant(Stream& stream, std::uint32_t bytes);
  // Sends ABORT; the listener hears nothing more, the stream stays open until the worker closes it.
  void give_up(Stream& stream, proto::AbortReason reason, const RunningRequest& request);

  // Reads what a dead worker left in the socket, then ends the channel.
  void read_rest_and_end();
  // Ends the channel at once; streams are lost.
  void end(ChannelEnd end);

 private:
  void on_ready(int events);
  // Returns false when there is nothing more to read now or ever.
  bool read_once();
  // Delivers the whole frames of `input` and keeps the rest.
  Status take_frames(ByteSpan input);
  Status on_frame(const proto::Frame& frame);
  Status on_stream_frame(const proto::Frame& frame);
  Status on_drain(const proto::Frame& frame);
  Status deliver(Stream& stream, const proto::Frame& frame);
  Status deliver_response(Stream& stream, const proto::Frame& frame);
  Status deliver_tunnel(Stream& stream, const proto::Frame& frame);
  void deliver_credit(Stream& stream);
  void close_stream(Stream& stream);
  // Closes the streams that `loss_of(const Stream&)` has a loss for and tells their listeners.
  template <typename LossOf>
  void lose_streams(LossOf loss_of);
  void on_time_over(Stream& stream);
  [[nodiscard]] bool was_opened(std::uint32_t id) const;
  [[nodiscard]] std::uint32_t next_id();
  [[nodiscard]] Stream& take_stream();
  void flush();
  void tell_room();
  void watch();
  void set_frame_deadline(std::size_t frames);

  Workbench& bench_;
  ChannelListener& listener_;
  const std::size_t max_streams_;
  UniqueFd socket_;
  std::unique_ptr<Poll> poll_;
  TurnTask flush_task_;
  Deadline frame_deadline_;  // of HELLO and of the rest of a frame

  StreamTable streams_;
  std::vector<std::unique_ptr<Stream>> all_streams_;
  std::vector<Stream*> free_streams_;
  std::size_t given_up_ = 0;
  std::uint32_t last_id_ = 0;
  bool wrapped_ = false;            // ids began at 1 again
  std::uint32_t first_window_ = 0;  // of the worker's HELLO
  ChannelState state_ = ChannelState::kGreeting;
  bool blocked_ = false;    // waiting until the socket takes more
  bool congested_ = false;  // somebody was told that there is no room

  std::uint64_t sent_ = 0;  // bytes that the socket has taken
  std::string partial_;     // the beginning of a frame
  ByteQueue output_;
  Error violation_;
};

}  // namespace rowhouse::gateway
