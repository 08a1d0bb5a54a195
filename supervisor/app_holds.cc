// What comes to an app from outside its own life: its tenant is suspended or not any more.
#include "supervisor/app.h"

namespace rowhouse::supervisor {

using proto::Cause;
using proto::NoticeKind;

// --- suspended: as if it were stopped, and nobody but the operator can start it ------------------------------------

void App::apply_suspension() {
  const bool now = tenant_.suspension.has_value();
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
  tell_condition();
  notice(NoticeKind::kSuspended, last_generation_);
  give_up_next(Cause::kSuspended);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kSuspended);
  check_quiet();
}

}  // namespace rowhouse::supervisor
