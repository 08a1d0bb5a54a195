// Gateways make room for new ones, one at a time, on the same listening sockets: a new one is ready before an old one
// stops accepting, so connections always find somebody, and the old one finishes what it has.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "supervisor/gateways.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::chrono::milliseconds kDrain{30'000};

}  // namespace

void Gateways::replace(std::function<void(ReplaceOutcome)> on_done) {
  if (replacement_ || retiring_) return on_done(ReplaceOutcome::kFailed);
  replacement_.emplace();
  replacement_->on_done = std::move(on_done);
  for (const auto& gateway : running_) {
    if (gateway != nullptr && !leaving_.contains(gateway->index())) replacement_->old.insert(gateway->index());
  }
  go_on_replacing();
}

std::size_t Gateways::count_active() const {
  return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [this](const auto& gateway) {
    return gateway != nullptr && !leaving_.contains(gateway->index());
  }));
}

// A column that nobody has or is about to have.
std::optional<std::uint32_t> Gateways::find_free_column() const {
  for (std::uint32_t i = 0; i < running_.size(); ++i) {
    if (running_[i] == nullptr && !restarts_[i]->active()) return i;
  }
  return std::nullopt;
}

void Gateways::go_on_replacing() {
  while (replacement_ && !replacement_->launching) {
    std::set<std::uint32_t>& old = replacement_->old;
    const std::size_t active = count_active();
    if (old.empty() && active >= order_.count) return finish_replacing(ReplaceOutcome::kDone);
    const auto column = find_free_column();
    const bool crowded = active > order_.count || (!column && leaving_.empty());
    if (crowded && !old.empty()) {
      send_home(*old.begin());
      old.erase(old.begin());
      continue;
    }
    if (!column) return;  // whoever leaves makes room
    const Status launched = launch(*column);
    if (!launched.ok()) {
      log_error("cannot start a gateway", {{"gateway", *column}, {"reason", launched.error()}});
      // One that was not told everything.
      if (running_[*column] != nullptr) {
        leaving_.insert(*column);
        kill(*column);
      }
      return finish_replacing(ReplaceOutcome::kFailed);
    }
    replacement_->launching = column;
    ready_.start(kReadyDeadline);
  }
}

void Gateways::send_home(std::uint32_t index) {
  leaving_.insert(index);
  running_[index]->link().send(proto::Retire{static_cast<std::uint32_t>(kDrain.count())});
}

void Gateways::on_replaced_ready(std::uint32_t index) {
  if (!replacement_ || replacement_->launching != index) return;
  ready_.stop();
  replacement_->launching.reset();
  go_on_replacing();
}

void Gateways::on_replacement_late() {
  if (!replacement_ || !replacement_->launching) return;
  const std::uint32_t index = *replacement_->launching;
  log_error("a new gateway does not come up", {{"gateway", index}});
  leaving_.insert(index);
  kill(index);
  finish_replacing(ReplaceOutcome::kFailed);
}

// True when the gateway was one that leaves, or a new one that failed: nobody is started in its column.
bool Gateways::is_departure(std::uint32_t index) {
  const bool failed = replacement_ && replacement_->launching == index;
  const bool left = leaving_.erase(index) > 0;
  if (replacement_) replacement_->old.erase(index);
  if (failed) {
    finish_replacing(ReplaceOutcome::kFailed);
  } else if (left) {
    go_on_replacing();
  }
  return failed || left;
}

void Gateways::finish_replacing(ReplaceOutcome outcome) {
  ready_.stop();
  const auto on_done = std::move(replacement_->on_done);
  replacement_.reset();
  for (std::size_t missing = count_active(); missing < order_.count; ++missing) {
    if (const auto column = find_free_column()) start_one(*column);
  }
  // One that died meanwhile was started again at once, because nobody could know that its successor will be ready.
  for (std::size_t active = count_active(); active > order_.count; --active) send_home(find_surplus());
  on_done(outcome);
}

// One that is not ready serves nobody yet; else the oldest.
std::uint32_t Gateways::find_surplus() const {
  std::optional<std::uint32_t> best;
  for (const auto& gateway : running_) {
    if (gateway == nullptr || leaving_.contains(gateway->index())) continue;
    const auto rank = [](const Gateway& each) { return std::pair(each.ready(), each.start_number()); };
    if (!best || rank(*gateway) < rank(*running_[*best])) best = gateway->index();
  }
  return *best;
}

}  // namespace rowhouse::supervisor
