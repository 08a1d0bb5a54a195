// One request on a channel, from REQUEST to END or ABORT: what the gateway must remember of it to believe
// nothing that a worker says.  Page: proto/PROTOCOL.request.md, "Life of a stream".
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/deadlines.h"
#include "gateway/running_request.h"
#include "proto/frames.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

enum class StreamPhase : std::uint8_t { kOpened, kStarted, kResponded };

enum class StreamLoss : std::uint8_t {
  kDrained,  // the worker said that it will not run it
  kGone,     // the channel ended
  kUnsent,   // the channel ended before the whole REQUEST had left the gateway
};

// Who opened a stream.  Every stream that is not given up ends with exactly one of on_end, on_abort, on_lost.
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  virtual void on_started() = 0;
  // The head is borrowed and not yet checked against the rules of HTTP.
  virtual void on_response(const proto::ResponseHead& head) = 0;
  // In the place of on_response: from now on the stream carries the connection's bytes.
  virtual void on_tunnel(const proto::ResponseHead& head) = 0;
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_end(const proto::End& end) = 0;
  virtual void on_abort(proto::AbortReason reason) = 0;
  virtual void on_lost(StreamLoss loss, StreamPhase phase) = 0;
  // More of the request body may be sent.
  virtual void on_body_room() = 0;
  // The worker said CREDIT: somebody reads the body.
  virtual void on_credit() = 0;
  // The request's time is over; the listener extends it or gives the stream up.
  virtual void on_time_over() = 0;
};

struct Stream {
  explicit Stream(Deadlines& deadlines) : deadline(deadlines, nullptr) {}

  std::uint32_t id = 0;
  StreamListener* listener = nullptr;  // null: given up; frames are checked and dropped
  StreamPhase phase = StreamPhase::kOpened;
  bool offers_upgrade = false;       // the worker may answer TUNNEL
  std::uint32_t receive_window = 0;  // DATA that the worker may still send
  std::uint32_t send_window = 0;     // BODY that we may still send
  std::uint64_t request_end = 0;     // of REQUEST, in the bytes of its channel
  Deadline deadline;
  std::unique_ptr<GivenUpRequest> given_up;  // of one without a listener
};

// Checks a frame against the stream's state and moves the state.  kInvalid: the worker broke the protocol.
// REQUIRES: `frame` is one that parse_frame accepted from a worker, on this stream.
Status step_stream(Stream& stream, const proto::Frame& frame);

// The open streams of a channel by id.  Streams are reused.
class StreamTable {
 public:
  // Room for at most `max_open` streams at a time.
  explicit StreamTable(std::size_t max_open);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Stream* find(std::uint32_t id) const;
  // REQUIRES: size() < max_open, and the id is not in the table.
  void insert(Stream& stream);
  void erase(Stream& stream);

  // Calls visit(Stream&) for each; visit must not change the table.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (Stream* stream : slots_) {
      if (stream != nullptr) visit(*stream);
    }
  }

 private:
  [[nodiscard]] std::size_t home(std::uint32_t id) const { return id & (slots_.size() - 1); }

  std::vector<Stream*> slots_;  // open addressing, linear probing
  std::size_t size_ = 0;
};

}  // namespace rowhouse::gateway
