// What comes to an app from outside its own life: it or its tenant is suspended or not any more, one of its files was touched.
#include "supervisor/app.h"

namespace rowhouse::supervisor {

using proto::Cause;
using proto::NoticeKind;

// --- suspended: as if it were stopped, and nobody but the operator can start it ------------------------------------

void App::apply_suspension() {
  const bool now = is_suspended_by_tenant();
  if (leaving_ || shutting_down_ || suspended_ == now) return;
  suspended_ = now;
  if (suspended_) {
    suspend();
  } else {
    notice(NoticeKind::kUnsuspended, last_generation_);
    tell_condition();
    begin();
  }
}

// The gateways refuse at once what waits and what comes; what runs has its time to finish.
void App::suspend() {
  // A stop that is under way goes on, and is what it is after the suspension.
  if (!stopped_) finish_command({proto::CommandOutcome::kSuspended, {}, last_generation_, 0});
  retry_.stop();
  await_no_start();
  touches_.forget();
  tell_condition();
  notice(NoticeKind::kSuspended, last_generation_);
  give_up_next(Cause::kSuspended);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kSuspended);
  check_quiet();
}

// --- touched: a rolling restart with the reading of the manifest that is in force ----------------------------------

void App::on_sandbox_touched(Sandbox& sandbox) {
  if (&sandbox == serving_.get() || &sandbox == next_.get()) touches_.on_touched(sandbox.generation());
}

void App::restart_if_touched() {
  const Sandbox* newest = next_ != nullptr ? next_.get() : serving_.get();
  if (held() || shutting_down_ || newest == nullptr) return touches_.forget();
  // A start that is under way is decided first; one that failed and waits for its next try may be what was mended.
  const bool waits = serving_ == nullptr && next_ != nullptr && retry_.active();
  if (command_ != nullptr || switching_ || awaited_start_ != AwaitedStart::kNone || (next_ != nullptr && !waits)) return;
  touches_.forget_before(newest->generation());
  const Instant now = around_.clock->now();
  if (!touches_.due(now)) return;
  touches_.on_begun(now);
  if (serving_ != nullptr) ++restarts_;
  notice(NoticeKind::kTouched, newest->generation());
  notice(NoticeKind::kRestarting, last_generation_);
  start_generation(StartKind::kBackground);
}

}  // namespace rowhouse::supervisor
