// What arrives at the scheduler: orders on the lifeline, frames on channels, SIGTERM.  Runs in the thread
// that has the lead, under the lock.
#include <algorithm>
#include <string>

#include "worker/fork_guard.h"
#include "worker/say.h"
#include "worker/scheduler.h"
#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

// After SIGTERM running requests have this long.
constexpr Duration kTerminationGrace = std::chrono::seconds(3);

}  // namespace

void Scheduler::take_events(std::span<const Poller::Ready> ready) {
  for (const Poller::Ready& event : ready) {
    switch (event.source) {
      case Poller::Source::kWake:
        take_wake();
        break;
      case Poller::Source::kLifeline:
        take_orders();
        break;
      case Poller::Source::kChannel:
        take_channel_event(event);
        break;
    }
  }
  if (!ready.empty()) reap_channels();
}

// A signal came, or a thread wants the reader to look around.  Python runs handlers of signals in its main
// thread.
void Scheduler::take_wake() {
  poller_.clear_wake();
  if (termination_requested()) take_termination();
  main_waiter_->alarmed = true;
  main_waiter_->wake.notify_one();
}

void Scheduler::take_channel_event(const Poller::Ready& event) {
  Channel& channel = *event.channel;
  if (event.writable && !channel.is_closed()) {
    poller_.change_interest(channel, Poller::Interest::kRead);
    channel.awaits_writable = false;
    flush_channel(channel, now());
  }
  if (!event.readable || channel.is_closed()) return;
  Status status = channel.receive();
  if (status.ok()) status = channel.process();
  if (!status.ok() && status.error().code != ErrorCode::kWouldBlock) fail_channel(channel, status.error());
}

// --- the lifeline ---------------------------------------------------------------------------------------

void Scheduler::take_orders() {
  while (lifeline_open_) {
    auto received = lifeline_.receive();
    if (!received.ok()) {
      if (received.error().code == ErrorCode::kWouldBlock) return;
      if (received.error().code == ErrorCode::kTooLarge) continue;
      // The supervisor and its keeper have gone: what is being served goes on.
      lifeline_open_ = false;
      poller_.forget(lifeline_.descriptor());
      return;
    }
    if (!received.value()) continue;
    Lifeline::Order& order = *received.value();
    if (order.type == proto::LifelineType::kChannel) {
      add_channel(std::move(order.channel));
    } else {
      begin_drain();
    }
  }
}

void Scheduler::add_channel(UniqueFd socket) {
  reap_channels();
  if (channels_.size() >= kMaxChannels || !guard_descriptor(socket.get())) {
    say("a channel is refused: " + std::to_string(channels_.size()) + " are open already");
    return;
  }
  ChannelListener& listener = *this;
  channels_.push_back(std::make_unique<Channel>(std::move(socket), listener));
  Channel& channel = *channels_.back();
  const Status status = poller_.watch_channel(channel);
  if (!status.ok()) {
    fail_channel(channel, status.error());
    return;
  }
  if (draining_) channel.drain();
  flush_channel(channel, now());
}

void Scheduler::begin_drain() {
  if (draining_) return;
  draining_ = true;
  for (const auto& channel : channels_) channel->drain();
  flush_channels();
}

void Scheduler::take_termination() {
  begin_drain();
  if (!exit_at_) exit_at_ = now() + kTerminationGrace;
  rouse_watch();
}

// --- channels -------------------------------------------------------------------------------------------

void Scheduler::fail_channel(Channel& channel, const Error& error) {
  if (channel.is_closed()) return;
  if (error.code != ErrorCode::kClosed) say("a channel ends: " + describe(error));
  poller_.forget(channel.descriptor());
  unguard_descriptor(channel.descriptor());
  channel.close();
  if (!lifeline_open_ || event_loop_) poller_.wake();  // the reader looks whether anybody is left
}

// Only a reading thread calls this, after it has taken all its events: no event points at a channel that
// goes.
void Scheduler::reap_channels() {
  channels_.erase(
      std::remove_if(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return channel->is_closed() && !channel->has_streams(); }),
      channels_.end());
}

void Scheduler::note_output(Channel& channel) {
  if (channel.output_since == Instant{} && channel.output_bytes() != 0) channel.output_since = now();
}

void Scheduler::flush_channel(Channel& channel, Instant time) {
  if (channel.output_bytes() == 0 || channel.awaits_writable) return;
  const auto flushed = channel.flush();
  if (!flushed.ok()) {
    fail_channel(channel, flushed.error());
    return;
  }
  channel.flushed_at = time;
  channel.output_since = Instant{};
  if (flushed.value() == FlushState::kBlocked) {
    channel.awaits_writable = true;
    poller_.change_interest(channel, Poller::Interest::kReadAndWrite);
  }
  for (Waiter* waiter : blocked_) {
    if (waiter->stream->channel == &channel) waiter->wake.notify_one();
  }
  if (event_loop_ && channel.has_room() && channel.tell_room()) poller_.wake();
}

void Scheduler::flush_channels() {
  Instant time{};
  for (const auto& channel : channels_) {
    if (channel->output_bytes() == 0) continue;
    if (time == Instant{}) time = now();
    flush_channel(*channel, time);
  }
}

void Scheduler::flush_all(Duration within) {
  const Instant deadline = now() + within;
  Lock lock(mutex_);
  const auto is_unsent = [](const auto& channel) { return channel->output_bytes() != 0; };
  while (now() < deadline) {
    flush_channels();
    if (std::none_of(channels_.begin(), channels_.end(), is_unsent)) return;
    lock.unlock();
    Poller::ReadyRoom room;
    const auto ready = poller_.wait(room, 50);
    lock.lock();
    take_events(ready);
  }
}

}  // namespace rowhouse::worker
