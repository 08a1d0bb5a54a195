#include "gateway/worker.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "gateway/access_log.h"
#include "gateway/caps.h"

namespace rowhouse::gateway {
namespace {

proto::RunningPhase phase_of(StreamPhase phase) {
  switch (phase) {
    case StreamPhase::kOpened:
      return proto::RunningPhase::kSent;
    case StreamPhase::kStarted:
      return proto::RunningPhase::kStarted;
    case StreamPhase::kResponded:
      break;
  }
  return proto::RunningPhase::kAnswered;
}

}  // namespace

Worker::Worker(Workbench& bench, WorkerShare share, const WorkerIdentity& identity, UniqueFd channel,
               WorkerListener& listener)
    : bench_(bench),
      share_(share),
      identity_(identity),
      listener_(listener),
      channel_(bench, std::move(channel), identity.threads + proto::kMaxPrefetch, *this),
      dying_(bench.deadlines, [this] { on_dying_time_over(); }) {
  share_.set_in_flight(0);
  share_.set_given_up(0);
}

bool Worker::has_room(const Request& request) {
  if (spared_ || !channel_.has_room()) return false;
  const std::uint32_t threads = identity_.threads;
  const std::uint32_t all = share_.in_flight();
  if (all < threads) return true;
  // However busy the other gateways keep the worker, one request of ours may always wait there.
  if (channel_.open_streams() == 0) return all < threads + proto::kMaxPrefetch;
  if (!request.is_prefetchable() || channel_.unsent_bytes() > kMaxBatchBytes) return false;
  return all < threads + service_times_.depth(bench_.turn.now()) - 1;
}

Stream& Worker::open(std::string& request_frame, StreamListener& listener, Instant deadline) {
  Stream& stream = channel_.open(request_frame, listener, deadline);
  share_.set_in_flight(channel_.open_streams());
  share_.add_request();
  return stream;
}

void Worker::tell_running(const RunningRequest& request, StreamPhase phase, ClientPresence presence) {
  if (bench_.access_log == nullptr) return;
  const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(bench_.turn.now() - request.sent_at);
  proto::RunningRecord record;
  record.app = identity_.app;
  record.generation = identity_.generation;
  record.worker = identity_.worker;
  record.phase = phase_of(phase);
  record.client_gone = presence == ClientPresence::kGone;
  record.at_ms = request.at_ms;
  record.running_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ran.count(), 0, 0xffff'ffff));
  record.method = request.method;
  record.path = request.path;
  record.host = request.host;
  record.request_id = request.id;
  bench_.access_log->record_running(record);
}

void Worker::on_given_up_time_over(const Stream& stream) {
  on_given_up_lost(stream);
  report(proto::FaultKind::kRequestTimeout);
}

void Worker::on_given_up_lost(const Stream& stream) {
  if (stream.given_up != nullptr) tell_running(stream.given_up->view(), stream.phase, ClientPresence::kGone);
}

void Worker::report(proto::FaultKind kind) {
  bool& reported = reported_[static_cast<std::size_t>(kind)];
  if (reported) return;
  reported = true;
  if (kind == proto::FaultKind::kRequestTimeout) {
    spared_ = true;  // the other gateways hear of it from the supervisor
    log_warning("request-over-time",
                {{"app", identity_.app}, {"generation", identity_.generation}, {"worker", identity_.worker}});
  }
  listener_.on_worker_fault(*this, kind);
}

void Worker::on_stream_closed(std::optional<std::uint16_t> service_us) {
  share_.set_in_flight(channel_.open_streams());
  share_.set_given_up(channel_.given_up_streams());
  if (service_us) service_times_.record(bench_.turn.now(), *service_us);
  listener_.on_request_left();
}

void Worker::on_channel_end(ChannelEnd end) {
  // The end is only a hint; the death, if it is one, is known a moment later.
  if (end == ChannelEnd::kClosed) dying_.set(bench_.turn.now() + kDyingTime);
  if (end != ChannelEnd::kViolated) return;
  log_warning("worker-violated-protocol", {{"app", identity_.app},
                                           {"generation", identity_.generation},
                                           {"worker", identity_.worker},
                                           {"rule", channel_.violation()}});
  report(proto::FaultKind::kProtocol);
}

// It would keep its place and serve nobody.
void Worker::on_dying_time_over() {
  log_warning("worker-lives-without-channel",
              {{"app", identity_.app}, {"generation", identity_.generation}, {"worker", identity_.worker}});
  report(proto::FaultKind::kProtocol);
}

}  // namespace rowhouse::gateway
