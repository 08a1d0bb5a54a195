#include "control/usage_ledger.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace rowhouse::control {
namespace {

using std::chrono::milliseconds;

// Among the clients of the API nobody has this number.
constexpr std::uint64_t kOurself = 0;

}  // namespace

UsageLedger::UsageLedger(uv_loop_t* loop, const Clock& clock, const Registry& registry, Inquiries& inquiries,
                         StoredCallback on_stored)
    : clock_(clock),
      registry_(registry),
      inquiries_(inquiries),
      on_stored_(std::move(on_stored)),
      next_page_(loop, [this] { ask_page(); }),
      writing_(loop, [this] { commit(); }) {}

void UsageLedger::open(UniqueFd directory) {
  Status opened = store_.open(std::move(directory));
  if (opened.ok()) opened = store_.load(meters_);
  if (!opened.ok()) log_error("usage_is_not_kept", {{"error", opened.error()}});
}

void UsageLedger::start() {
  begin_round();
}

void UsageLedger::close() {
  next_page_.stop();
  writing_.stop();
  commit();
}

// --- sampling ------------------------------------------------------------------------------------------------------

void UsageLedger::begin_round() {
  round_began_ = clock_.now();
  after_app_ = 0;
  ask_page();
}

void UsageLedger::ask_page() {
  if (after_app_ == 0) round_began_ = clock_.now();
  inquiries_.query_page(kOurself, after_app_, [this](auto found) { on_page(std::move(found)); });
}

void UsageLedger::on_page(std::optional<StatusFound> found) {
  if (!found) {
    // The supervisor is away; the same page again.
    next_page_.start(kRoundPeriod);
    return;
  }
  const std::int64_t now_ms = clock_.wall_ms();
  for (const AppStatus& app : found->apps) meters_.take_app(app, now_ms);
  for (const auto& [name, tenant] : found->tenants) meters_.take_tenant(tenant, now_ms);
  if (found->next_after > after_app_) {
    after_app_ = found->next_after;
    next_page_.start(kPagePause);
    return;
  }
  meters_.end_round(registry_);
  sampled_at_ = clock_.now();
  after_app_ = 0;
  commit();
  const auto passed = std::chrono::duration_cast<milliseconds>(clock_.now() - round_began_);
  next_page_.start(std::max(milliseconds(0), kRoundPeriod - passed));
}

// --- what comes by itself ------------------------------------------------------------------------------------------

void UsageLedger::add_death(const AppName& name, const proto::Death& death) {
  meters_.add_death(name, death);
}

void UsageLedger::acknowledge(const proto::DeathStored& stored) {
  if (!store_.is_open()) return on_stored_(stored);
  acknowledged_.push_back(stored);
  if (!writing_.active()) writing_.start(kDeathPause);
}

void UsageLedger::take_last_usage(const proto::AppUsage& usage) {
  const AppName* name = registry_.find_app(usage.app);
  if (name != nullptr) meters_.take_last_usage(*name, usage.usage, clock_.wall_ms());
}

void UsageLedger::take_last_traffic(const proto::AppTraffic& traffic) {
  const AppName* name = registry_.find_app(traffic.app);
  if (name != nullptr) meters_.take_last_traffic(*name, traffic, clock_.wall_ms());
}

void UsageLedger::take_last_usage(const proto::TenantUsage& usage) {
  meters_.take_tenant(usage, clock_.wall_ms());
}

// --- writing -------------------------------------------------------------------------------------------------------

void UsageLedger::commit() {
  writing_.stop();
  if (const Status written = store_.commit(meters_, clock_.wall_ms()); !written.ok()) {
    // Nothing is forgotten: it is written with the next one.
    writing_.start(kRetryPause);
    return;
  }
  meters_.set_written();
  for (const proto::DeathStored& stored : std::exchange(acknowledged_, {})) on_stored_(stored);
}

}  // namespace rowhouse::control
