// One worker process as this gateway sees it: its channel, and how much of it may be used beside the other
// gateways.  Known from WorkerAdd until WorkerGone, also when its channel has ended before.
#pragma once

#include <cstdint>

#include "gateway/channel.h"
#include "gateway/prefetch.h"
#include "gateway/request.h"
#include "gateway/share.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

class Worker;

class WorkerListener {
 public:
  virtual ~WorkerListener() = default;
  // The worker may have room for a request.
  virtual void on_worker_room() = 0;
  // The number of requests in flight there went down by one.
  virtual void on_request_left() = 0;
  virtual void on_worker_fault(Worker& worker, proto::FaultKind kind) = 0;
};

struct WorkerIdentity {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::uint32_t threads = 1;
};

class Worker final : public Mortal, private ChannelListener {
 public:
  Worker(Workbench& bench, WorkerShare share, const WorkerIdentity& identity, UniqueFd channel,
         WorkerListener& listener);

  [[nodiscard]] const WorkerIdentity& identity() const { return identity_; }
  [[nodiscard]] Channel& channel() { return channel_; }
  [[nodiscard]] bool is_usable() const {
    return !spared_ && (channel_.state() == ChannelState::kOpen || channel_.state() == ChannelState::kGreeting);
  }
  // It shall go: no more requests.
  void spare() { spared_ = true; }
  // Whether a request like this may be sent now.
  [[nodiscard]] bool has_room(const Request& request);
  Stream& open(std::string& request_frame, StreamListener& listener, Instant deadline);
  // Tells control that the worker had this request when it was lost, or when the request was over its time.
  void tell_running(const RunningRequest& request, StreamPhase phase, ClientPresence presence);
  // Reported at most once for each kind.
  void report(proto::FaultKind kind);
  [[nodiscard]] bool has_reported(proto::FaultKind kind) const { return reported_[static_cast<std::size_t>(kind)]; }
  // The worker is dead: takes what it left in the channel.
  void on_gone() { channel_.read_rest_and_end(); }
  // The app is gone.
  void drop() { channel_.end(ChannelEnd::kClosed); }

 private:
  void on_channel_room() override { listener_.on_worker_room(); }
  void on_stream_closed(std::optional<std::uint16_t> service_us) override;
  void on_stream_given_up() override { share_.set_given_up(channel_.given_up_streams()); }
  void on_given_up_time_over(const Stream& stream) override;
  void on_given_up_lost(const Stream& stream) override;
  void on_channel_end(ChannelEnd end) override;
  void on_dying_time_over();

  Workbench& bench_;
  WorkerShare share_;
  const WorkerIdentity identity_;
  WorkerListener& listener_;
  ServiceTimes service_times_;
  bool spared_ = false;
  bool reported_[2] = {false, false};  // by FaultKind
  Channel channel_;
  Deadline dying_;  // from the end of the channel to the news of the worker's death
};

}  // namespace rowhouse::gateway
