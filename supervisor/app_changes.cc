// An app while its manifest or its tenant changes: new settings with or without a new generation, and leaving for
// good.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "supervisor/app.h"

namespace rowhouse::supervisor {

using proto::Cause;

namespace {

// Former generations that may go on draining; a manifest that changes all the time piles up no more.
constexpr std::size_t kMaxDraining = 4;

}  // namespace

SpecChange App::change(AppSpec spec, SpecChange least) {
  const AppSpec& now = newest_spec();
  const SpecChange found =
      same_worker_part(now, spec) ? compare_specs(now, spec) : SpecChange::kRestart;
  const SpecChange change = std::max(found, least);
  if (change == SpecChange::kLive) change_live(std::move(spec));
  if (change == SpecChange::kRestart) change_generation(std::move(spec));
  return change;
}

void App::change_live(AppSpec spec) {
  AppSpec& newest = next_spec_ ? *next_spec_ : spec_;
  // Its number is what the living sandbox starts workers with.
  spec.worker_part = std::move(newest.worker_part);
  newest = std::move(spec);
  keep_newest();
  if (next_spec_) return;  // told to the gateways with its generation
  lift_quota();
  renew_limits();
  configure_all();
  // One that slept has workers of its own now; fewer or more of them are the next pulse's matter.
  const bool sleeps = serving_ == nullptr && next_ == nullptr && !retry_.active();
  if (sleeps && spec_.settings.workers_min > 0) start_generation(StartKind::kBackground);
}

// A command that is under way is answered by the outcome of the newer generation.
void App::change_generation(AppSpec spec) {
  adopt_spec(std::move(spec));
  if (held() || shutting_down_) return;
  // One that sleeps goes on sleeping: its next request starts what is new.
  const bool serves = serving_ != nullptr;
  if (!serves && spec_.settings.workers_min == 0 && queued() == 0) return fall_asleep();
  if (serves) ++restarts_;
  // A copy: a generation of which nothing is left goes at once.
  std::vector<Sandbox*> oldest;
  for (std::size_t i = 0; i + kMaxDraining < retired_.size(); ++i) oldest.push_back(retired_[i].get());
  for (Sandbox* sandbox : oldest) sandbox->kill(Cause::kRestart);
  notice(proto::NoticeKind::kRestarting, last_generation_);
  // A file that was written for a thousand apps is no storm.
  start_generation(StartKind::kBackground);
}

void App::keep_routes(const std::vector<Domain>& domains) {
  const auto is_foreign = [&domains](const Route& route) { return !owns_host(domains, route.host); };
  const auto give_up = [&](AppSpec& spec) {
    std::size_t given_up = std::erase_if(spec.routes, is_foreign);
    for (AppFront& other : spec.others) given_up += std::erase_if(other.routes, is_foreign);
    return given_up > 0;
  };
  if (former_spec_) give_up(*former_spec_);
  if (next_spec_ && give_up(*next_spec_)) keep_newest();
  if (!give_up(spec_)) return;
  keep_in_place_of(kept_spec_, spec_);
  configure_all();
}

void App::keep_newest() {
  keep_in_place_of(next_spec_ ? kept_next_spec_ : kept_spec_, newest_spec());
}

// What a settings' change leaves in the store is what is in force, or, when the store refuses, what was.
void App::keep_in_place_of(KeptSpec& kept, const AppSpec& spec) {
  auto stored = keep(spec);
  if (!stored.ok()) return log_error("cannot store a manifest's reading", {{"reason", stored.error()}});
  const KeptSpec former = std::exchange(kept, std::move(stored).value());
  remember();
}

void App::leave(std::function<void()> on_quiet) {
  finish_command({proto::CommandOutcome::kConflict, {}, last_generation_, 0});
  on_quiet_ = std::move(on_quiet);
  shutting_down_ = true;
  leaving_ = true;
  stopped_ = true;
  retry_.stop();
  await_no_start();
  give_up_next(Cause::kStopped);
  const auto close = [](AppFront& front) {
    front.routes.clear();
    front.statics.clear();
  };
  close(spec_);
  for (AppFront& other : spec_.others) close(other);
  configure_all();
  notice(proto::NoticeKind::kStopped, last_generation_);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kStopped);
  check_quiet();
}

}  // namespace rowhouse::supervisor
