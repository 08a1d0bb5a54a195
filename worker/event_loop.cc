// The scheduler as an event loop sees it (ASGI): no thread leads or waits; the loop's thread pumps when the set of
// descriptors is readable, and everything else that it does is one call under the lock.
#include <algorithm>

#include "worker/scheduler.h"

namespace rowhouse::worker {

void Scheduler::serve_event_loop() {
  Lock lock(mutex_);
  event_loop_ = true;
}

void Scheduler::pump(std::vector<Stream*>& begun, std::vector<Stream*>& changed) {
  begun.clear();
  Poller::ReadyRoom room;
  const std::span<const Poller::Ready> ready = poller_.wait(room, 0);
  Lock lock(mutex_);
  take_events(ready);
  const Instant time = now();
  while (!queue_.empty()) {
    Stream* const stream = queue_.front();
    queue_.pop_front();
    stream->state = StreamState::kRunning;
    stream->begun = time;
    ++running_;
    ++requests_;
    begun.push_back(stream);
  }
  changed.assign(changed_.begin(), changed_.end());
  changed_.clear();
  for (Stream* stream : changed) stream->changed = false;
  rouse_watch();
}

bool Scheduler::is_finished() {
  Lock lock(mutex_);
  return is_over();
}

bool Scheduler::is_draining() {
  Lock lock(mutex_);
  return draining_;
}

std::size_t Scheduler::body_available(const Stream& stream) {
  Lock lock(mutex_);
  return stream.body_available();
}

void Scheduler::tunnel(Stream& stream, const proto::ResponseHead& head) {
  Lock lock(mutex_);
  stream.channel->append_tunnel(stream, head);
  note_output(*stream.channel);
}

void Scheduler::finish_event(Stream& stream) {
  Lock lock(mutex_);
  Channel& channel = *stream.channel;
  const auto service_us = (now() - stream.begun).count();
  forget_change(stream);
  channel.append_end(stream, {.service_us = static_cast<std::uint64_t>(std::max<Duration::rep>(service_us, 0))});
  note_output(channel);
  --running_;
}

void Scheduler::abort_event(Stream& stream, proto::AbortReason reason) {
  Lock lock(mutex_);
  Channel& channel = *stream.channel;
  forget_change(stream);
  channel.append_abort(stream, reason);
  note_output(channel);
  --running_;
}

void Scheduler::forget_change(Stream& stream) {
  if (!stream.changed) return;
  changed_.erase(std::remove(changed_.begin(), changed_.end(), &stream), changed_.end());
  stream.changed = false;
}

}  // namespace rowhouse::worker
