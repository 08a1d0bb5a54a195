#include "supervisor/scaling.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::WorkerState;

bool stays(const WorkerLook& worker) {
  return worker.state < WorkerState::kDraining;
}

std::uint32_t count_staying(const AppLook& app) {
  return static_cast<std::uint32_t>(std::count_if(app.workers.begin(), app.workers.end(), stays));
}

std::uint32_t count_ready(const AppLook& app) {
  return static_cast<std::uint32_t>(std::count_if(app.workers.begin(), app.workers.end(), [](const auto& worker) {
    return worker.state == WorkerState::kReady;
  }));
}

// `value` with the worker's own jitter: from `low` to `high` percent of it.
std::uint64_t jittered(std::uint64_t value, std::uint32_t random, std::uint32_t low, std::uint32_t high) {
  const std::uint64_t permille = 10 * low + random % (10 * (high - low) + 1);
  return std::max<std::uint64_t>(1, value / 1000 * permille + value % 1000 * permille / 1000);
}

}  // namespace

std::vector<Leaving> Scaling::look(const AppLook& app, const ScalingRules& rules, Instant now) {
  const std::uint64_t sent = remember(app, now);
  pressed_looks_ = would_wait(app, rules, sent, now) ? pressed_looks_ + 1 : 0;
  looked_at_ = now;
  const std::uint32_t staying = count_staying(app), ready = count_ready(app);
  // One that is on its way is waited for before the next is asked for.
  if (pressed_looks_ >= kLooksToScale && ready == staying && wanted_ <= staying && staying < rules.max) {
    wanted_ = staying + 1;
    pressed_looks_ = 0;
  }
  wanted_ = std::clamp(wanted_, rules.min, std::max(rules.max, rules.min));
  // One at a time: who is told to leave stands in this look as if it stayed.
  if (const auto replaced = go_on_replacing(app)) return {*replaced};
  if (const auto surplus = send_surplus_away(app, rules)) return {*surplus};
  if (const auto due = begin_replacing(app, rules, now)) return {*due};
  if (const auto idle = send_idle_away(app, rules, now)) return {*idle};
  return {};
}

std::uint64_t Scaling::remember(const AppLook& app, Instant now) {
  std::uint64_t sent = 0;
  std::erase_if(known_, [&](const auto& entry) {
    return std::none_of(app.workers.begin(), app.workers.end(), [&](const WorkerLook& worker) {
      return worker.id == entry.first && worker.state == WorkerState::kReady;
    });
  });
  for (const WorkerLook& worker : app.workers) {
    if (worker.state != WorkerState::kReady) continue;
    const Instant ready_at = worker.ready_at == Instant{} ? now : worker.ready_at;
    const auto [entry, is_new] = known_.try_emplace(worker.id, Known{worker.requests, ready_at, now});
    if (worker.in_flight > 0 || worker.requests != entry->second.requests) entry->second.active_at = now;
    sent += worker.requests > entry->second.requests ? worker.requests - entry->second.requests : 0;
    entry->second.requests = worker.requests;
  }
  return sent;
}

// How long the last of those that wait would wait if work went on as it did since the last look.  Requests
// wait in the queue, and in a worker beyond its threads.  What was refused is no work.
bool Scaling::would_wait(const AppLook& app, const ScalingRules& rules, std::uint64_t sent, Instant now) const {
  std::uint64_t waiting = app.queued;
  for (const WorkerLook& worker : app.workers) {
    if (worker.in_flight > rules.threads) waiting += worker.in_flight - rules.threads;
  }
  if (waiting == 0 || !looked_at_) return false;
  const auto passed_us = static_cast<std::uint64_t>((now - *looked_at_).count());
  return passed_us * waiting >= static_cast<std::uint64_t>(kWaitToScale.count()) * std::max<std::uint64_t>(sent, 1);
}

std::optional<Cause> Scaling::is_due(const WorkerLook& worker, const ScalingRules& rules, Instant now) const {
  if (worker.state != WorkerState::kReady) return std::nullopt;
  constexpr std::uint32_t kLow = 100 - kJitterPercent, kHigh = 100 + kJitterPercent;
  if (rules.max_memory_bytes != 0 && worker.memory_bytes >= rules.max_memory_bytes) return Cause::kMaxMemory;
  if (rules.max_requests != 0 && worker.requests >= jittered(rules.max_requests, worker.random, kLow, kHigh)) {
    return Cause::kMaxRequests;
  }
  if (rules.max_lifetime == Duration::zero()) return std::nullopt;
  const auto life = static_cast<std::uint64_t>((now - known_.at(worker.id).ready_at).count());
  const auto most = static_cast<std::uint64_t>(rules.max_lifetime.count());
  if (life >= jittered(most, worker.random, kLow, 100)) return Cause::kMaxLifetime;
  return std::nullopt;
}

std::optional<Leaving> Scaling::go_on_replacing(const AppLook& app) {
  if (!replacement_) return std::nullopt;
  const Replacement replacement = *replacement_;
  bool old_stays = false, successor_comes = false, successor_ready = false;
  for (const WorkerLook& worker : app.workers) {
    old_stays = old_stays || (worker.id == replacement.worker && stays(worker));
    if (worker.id <= replacement.newest) continue;
    successor_comes = successor_comes || stays(worker);
    successor_ready = successor_ready || worker.state == WorkerState::kReady;
  }
  if (old_stays && successor_comes && !successor_ready) return std::nullopt;
  // Over: done, or the old one died by itself, or the new one did, and then it is decided again.
  if (old_stays && !successor_comes && wanted_ > count_staying(app)) return std::nullopt;  // not started yet
  replacement_.reset();
  wanted_ -= wanted_ > 0 ? 1 : 0;
  if (!old_stays || !successor_ready) return std::nullopt;
  return Leaving{replacement.worker, replacement.cause};
}

std::optional<Leaving> Scaling::begin_replacing(const AppLook& app, const ScalingRules& rules, Instant now) {
  // One at a time, and not while another is missing or on its way.
  if (replacement_ || app.workers.size() > count_ready(app) || count_ready(app) < wanted_) return std::nullopt;
  std::uint32_t newest = 0;
  for (const WorkerLook& worker : app.workers) newest = std::max(newest, worker.id);
  for (const WorkerLook& worker : app.workers) {
    const auto cause = is_due(worker, rules, now);
    if (!cause) continue;
    // At most `max`, or where there is one too many anyway: without a successor.
    if (app.workers.size() >= rules.max || app.workers.size() > wanted_) return Leaving{worker.id, *cause};
    replacement_ = Replacement{worker.id, *cause, newest};
    ++wanted_;
    return std::nullopt;
  }
  return std::nullopt;
}

// Beyond `max`, which the manifest or the plan has lowered.  What it has begun it may finish.
std::optional<Leaving> Scaling::send_surplus_away(const AppLook& app, const ScalingRules& rules) const {
  if (count_staying(app) <= std::max(rules.max, rules.min)) return std::nullopt;
  const WorkerLook* newest = nullptr;
  for (const WorkerLook& worker : app.workers) {
    if (stays(worker) && (newest == nullptr || worker.id > newest->id)) newest = &worker;
  }
  return Leaving{newest->id, Cause::kIdle};
}

// The newest first: gateways fill the oldest first.
std::optional<Leaving> Scaling::send_idle_away(const AppLook& app, const ScalingRules& rules, Instant now) {
  if (rules.idle == Duration::zero() || wanted_ <= rules.min || replacement_ || app.queued > 0) return std::nullopt;
  if (count_staying(app) > count_ready(app)) return std::nullopt;
  const WorkerLook* idle = nullptr;
  for (const WorkerLook& worker : app.workers) {
    if (worker.state != WorkerState::kReady || worker.in_flight > 0) continue;
    if (now - known_.at(worker.id).active_at < rules.idle) continue;
    if (idle == nullptr || worker.id > idle->id) idle = &worker;
  }
  if (idle == nullptr) return std::nullopt;
  --wanted_;
  return Leaving{idle->id, Cause::kIdle};
}

}  // namespace rowhouse::supervisor
