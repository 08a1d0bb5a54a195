#include "supervisor/start_gate.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

bool contains(const std::deque<StartClient*>& queue, const StartClient& client) {
  return std::find(queue.begin(), queue.end(), &client) != queue.end();
}

}  // namespace

StartGate::StartGate(uv_loop_t* loop, const Clock& clock, StartBucket::Size size)
    : clock_(clock), bucket_(size, clock.now()), timer_(loop, [this] { on_timer(); }) {}

bool StartGate::admit(StartClient& client, StartKind kind) {
  const bool demanded = kind == StartKind::kDemanded;
  if (contains(demanded_, client) || (!demanded && contains(background_, client))) return false;
  std::erase(background_, &client);  // somebody waits for it now
  const bool is_next = demanded_.empty() && (demanded || background_.empty());
  if (is_next && bucket_.try_take(kind, clock_.now())) return true;
  (demanded ? demanded_ : background_).push_back(&client);
  arm();
  return false;
}

void StartGate::cancel(StartClient& client) {
  std::erase(demanded_, &client);
  std::erase(background_, &client);
}

bool StartGate::is_waiting(const StartClient& client) const {
  return contains(demanded_, client) || contains(background_, client);
}

void StartGate::on_timer() {
  for (;;) {
    const StartKind kind = demanded_.empty() ? StartKind::kBackground : StartKind::kDemanded;
    Queue& queue = demanded_.empty() ? background_ : demanded_;
    if (queue.empty() || !bucket_.try_take(kind, clock_.now())) break;
    StartClient& next = *queue.front();
    queue.pop_front();
    next.on_start_admitted();
  }
  arm();
}

void StartGate::arm() {
  if (demanded_.empty() && background_.empty()) return timer_.stop();
  const StartKind kind = demanded_.empty() ? StartKind::kBackground : StartKind::kDemanded;
  timer_.start(std::chrono::ceil<std::chrono::milliseconds>(bucket_.wait(kind, clock_.now())));
}

}  // namespace rowhouse::supervisor
