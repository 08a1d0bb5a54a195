// The lead, the queue and the waits.  What arrives is in events.cc, the watch in watch.cc.
#include "worker/scheduler.h"

#include <algorithm>

#include "worker/call_cost.h"

namespace rowhouse::worker {
namespace {

// Below this mean a leader runs calls itself; a call longer than this may lose the lead.
constexpr Duration kShortCall{200};
// After a call as long as this the response is sent at once, not with the batch.
constexpr Duration kPromptAfter{100};
// Unsent output as old as this is sent at the next opportunity.
constexpr Duration kOldOutput{300};
// Chunks of a stream that come faster than this leave together.
constexpr Duration kChunkInterval{1000};
constexpr std::size_t kFlushBytes = 64 * 1024;
// While calls are long, a leader tries to run one itself this often: otherwise contention for the GIL would
// make short calls look long for ever.
constexpr Duration kProbeInterval = std::chrono::milliseconds(50);

template <typename Sequence, typename Value>
void erase(Sequence& sequence, const Value& value) {
  sequence.erase(std::remove(sequence.begin(), sequence.end(), value), sequence.end());
}

}  // namespace

Scheduler::Waiter& Scheduler::me() {
  thread_local Waiter waiter;
  return waiter;
}

// --- requests -------------------------------------------------------------------------------------------

Stream* Scheduler::try_next() {
  Lock lock(mutex_);
  return pop_request(me());
}

Scheduler::Next Scheduler::wait_next() {
  Waiter& waiter = me();
  Lock lock(mutex_);
  flush_channels();
  while (true) {
    if (Stream* stream = pop_request(waiter)) return {Turn::kRun, stream};
    if (is_over()) {
      step_down(waiter);
      wake_everybody();
      return {Turn::kEnd, nullptr};
    }
    if (waiter.alarmed) {
      step_down(waiter);
      return {Turn::kCheck, nullptr};
    }
    if (may_lead(waiter)) {
      lead_once(lock, waiter);
    } else {
      rest(lock, waiter);
    }
  }
}

Stream* Scheduler::pop_request(Waiter& waiter) {
  if (queue_.empty()) return nullptr;
  Stream* stream = queue_.front();
  queue_.pop_front();
  stream->state = StreamState::kRunning;
  ++running_;
  waiter.alarmed = false;
  waiter.call_begun = now();
  CallCost::mine().begin(waiter.call_begun);
  waiter.runs_as_leader = leader_ == &waiter && runs_inline();
  if (waiter.runs_as_leader) {
    phase_ = Phase::kRunning;
  } else if (leader_ == &waiter) {
    leader_ = nullptr;
  }
  if (leader_ == nullptr || (!queue_.empty() && phase_ != Phase::kRunning)) promote();
  ++requests_;
  rouse_watch();
  return stream;
}

bool Scheduler::runs_inline() {
  if (threads_ == 1) return true;
  const std::optional<Duration> mean = call_mean_.mean();
  if (mean && *mean < kShortCall) return true;
  const Instant time = now();
  if (time < next_inline_probe_) return false;
  next_inline_probe_ = time + kProbeInterval;
  return true;
}

bool Scheduler::is_over() const {
  if (running_ != 0 || !queue_.empty()) return false;
  return draining_ || (!lifeline_open_ && channels_.empty());
}

// Contention makes calls look longer than they are: calls that ran beside others are not counted.
void Scheduler::end_call(Waiter& waiter, Instant time) {
  if (running_ == 1 || waiter.runs_as_leader) {
    call_mean_.add(time, std::chrono::duration_cast<Duration>(time - waiter.call_begun));
  }
  --running_;
  if (is_over()) wake_everybody();
}

// --- the lead -------------------------------------------------------------------------------------------

bool Scheduler::may_lead(const Waiter& waiter) const {
  if (leader_ == nullptr || leader_ == &waiter) return true;
  if (phase_ == Phase::kWatching) return true;
  return phase_ == Phase::kRunning && now() - leader_->call_begun > kShortCall;
}

void Scheduler::lead_once(Lock& lock, Waiter& waiter) {
  leader_ = &waiter;
  phase_ = Phase::kReading;
  flush_channels();
  lock.unlock();
  Poller::ReadyRoom room;
  const std::span<const Poller::Ready> ready = poller_.wait(room, -1);
  lock.lock();
  take_events(ready);
}

void Scheduler::rest(Lock& lock, Waiter& waiter) {
  std::vector<Waiter*>& list = waiter.stream == nullptr ? idle_ : blocked_;
  list.push_back(&waiter);
  waiter.wake.wait(lock);
  erase(list, &waiter);
}

void Scheduler::step_down(const Waiter& waiter) {
  if (leader_ == &waiter) leader_ = nullptr;
  if (leader_ == nullptr) promote();
}

// Wakes one resting thread, which finds a request or the lead.  Whenever the lead is vacant and somebody
// rests, somebody has been woken.
void Scheduler::promote() {
  if (!idle_.empty()) {
    idle_.back()->wake.notify_one();
  } else if (!blocked_.empty()) {
    blocked_.back()->wake.notify_one();
  }
}

void Scheduler::wake_everybody() {
  for (Waiter* waiter : idle_) waiter->wake.notify_one();
  poller_.wake();
}

void Scheduler::confirm_stall() {
  Waiter& waiter = me();
  Lock lock(mutex_);
  if (!waiter.alarmed) return;
  waiter.alarmed = false;
  const bool stalled =
      leader_ != nullptr && phase_ == Phase::kRunning && now() - leader_->call_begun > kShortCall;
  if (stalled) leader_ = nullptr;
}

// --- events for those who wait --------------------------------------------------------------------------

void Scheduler::on_request(Stream& stream) {
  queue_.push_back(&stream);
}

void Scheduler::on_stream_changed(Stream& stream) {
  if (stream.state == StreamState::kQueued && stream.gone) {
    erase(queue_, &stream);
    Channel& channel = *stream.channel;
    channel.append_end(stream, {});
    note_output(channel);
    return;
  }
  if (event_loop_) {
    if (!stream.changed) changed_.push_back(&stream);
    stream.changed = true;
    return;
  }
  wake_blocked_on(stream);
}

void Scheduler::wake_blocked_on(const Stream& stream) {
  for (Waiter* waiter : blocked_) {
    if (waiter->stream == &stream) waiter->wake.notify_one();
  }
}

template <typename Goal>
WaitOutcome Scheduler::wait_for(Stream& stream, Goal goal) {
  Waiter& waiter = me();
  Lock lock(mutex_);
  Channel& channel = *stream.channel;
  waiter.stream = &stream;
  flush_channels();
  const auto is_settled = [&] { return stream.gone || stream.state == StreamState::kClosed || goal(); };
  const bool waits = !is_settled();
  while (!is_settled()) {
    if (may_lead(waiter)) {
      lead_once(lock, waiter);
      if (!queue_.empty() && !idle_.empty()) idle_.back()->wake.notify_one();
    } else {
      rest(lock, waiter);
    }
  }
  waiter.stream = nullptr;
  const bool gone = stream.gone || stream.state == StreamState::kClosed;
  channel.leave(stream);
  if (waits) step_down(waiter);
  return gone ? WaitOutcome::kGone : WaitOutcome::kReady;
}

WaitOutcome Scheduler::wait_for_body(Stream& stream) {
  return wait_for(stream, [&] { return stream.body_available() != 0 || stream.body_complete; });
}

WaitOutcome Scheduler::wait_to_send(Stream& stream) {
  return wait_for(stream, [&] { return stream.send_credit_bytes != 0 && stream.channel->has_room(); });
}

WaitOutcome Scheduler::wait_until_sent(Stream& stream) {
  return wait_for(stream, [&] { return stream.channel->output_bytes() == 0; });
}

// --- the running request --------------------------------------------------------------------------------

bool Scheduler::is_gone(const Stream& stream) {
  Lock lock(mutex_);
  return stream.gone;
}

void Scheduler::enter(Stream& stream) {
  Lock lock(mutex_);
  ++stream.users;
}

void Scheduler::start(Stream& stream) {
  Lock lock(mutex_);
  stream.channel->append_start(stream);
  note_output(*stream.channel);
}

void Scheduler::respond(Stream& stream, const proto::ResponseHead& head) {
  Lock lock(mutex_);
  stream.channel->append_response(stream, head);
  note_output(*stream.channel);
}

std::size_t Scheduler::send_data(Stream& stream, std::string_view bytes) {
  Lock lock(mutex_);
  const std::size_t sent = stream.channel->append_data(stream, bytes);
  note_output(*stream.channel);
  return sent;
}

std::size_t Scheduler::respond_with(Stream& stream, const proto::ResponseHead& head, std::string_view body) {
  Lock lock(mutex_);
  Channel& channel = *stream.channel;
  channel.append_response(stream, head);
  const std::size_t sent = channel.append_data(stream, body);
  note_output(channel);
  return sent;
}

void Scheduler::finish(Stream& stream) {
  Waiter& waiter = me();
  Lock lock(mutex_);
  const Instant time = now();
  Channel& channel = *stream.channel;
  if (stream.users != 0) wake_blocked_on(stream);
  channel.append_end(stream, CallCost::mine().end(time));
  note_output(channel);
  end_call(waiter, time);
}

void Scheduler::abort(Stream& stream, proto::AbortReason reason) {
  Waiter& waiter = me();
  Lock lock(mutex_);
  Channel& channel = *stream.channel;
  if (stream.users != 0) wake_blocked_on(stream);
  channel.append_abort(stream, reason);
  note_output(channel);
  end_call(waiter, now());
}

std::size_t Scheduler::take_body(Stream& stream, std::span<char> room, BodyUnit unit) {
  Lock lock(mutex_);
  const std::size_t count = stream.channel->take_body(stream, room, unit);
  note_output(*stream.channel);
  return count;
}

bool Scheduler::is_body_complete(const Stream& stream) {
  Lock lock(mutex_);
  return stream.body_complete && stream.body_available() == 0;
}

bool Scheduler::is_flush_due(const Stream& stream) {
  Lock lock(mutex_);
  const Channel& channel = *stream.channel;
  if (channel.output_bytes() == 0 || channel.is_blocked()) return false;
  if (channel.output_bytes() >= kFlushBytes) return true;
  return now() - std::max(me().call_begun, channel.flushed_at) > kChunkInterval;
}

// Asked after a call.
bool Scheduler::is_flush_due() {
  Lock lock(mutex_);
  const Instant time = now();
  const bool prompt = time - me().call_begun > kPromptAfter;
  return std::any_of(channels_.begin(), channels_.end(), [&](const auto& channel) {
    if (channel->output_bytes() == 0 || channel->is_blocked()) return false;
    return prompt || channel->output_bytes() >= kFlushBytes || time - channel->output_since > kOldOutput;
  });
}

void Scheduler::flush() {
  Lock lock(mutex_);
  flush_channels();
}

}  // namespace rowhouse::worker
