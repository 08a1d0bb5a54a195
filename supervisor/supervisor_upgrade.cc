// Putting the programs on disk in the place of those that run.
//
//   order -> (note) Upgrade to the keeper -> the keeper kills us, starts the program on disk -> it takes over -> Upgraded
//         -> new gateways beside the old ones -> answer -> new control
//
// The note makes one order one upgrade, whoever of us reads the repeated order.
#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::UpgradeOutcome;

// The keeper says how it went right after Adopted.
constexpr std::chrono::seconds kOutcomePatience{2};

}  // namespace

void Supervisor::write_host_note() {
  host_row_.write(host_note_);
}

void Supervisor::on_upgrade_order(const proto::UpgradeOrder& order) {
  const CommandId id{control_->start_number(), order.request};
  if (host_note_.upgrade == id) {
    if (host_note_.stage == UpgradeStage::kAnswered) answer_upgrade();
    return;
  }
  const bool busy = host_note_.stage == UpgradeStage::kAsked || host_note_.stage == UpgradeStage::kReplacing;
  if (busy || stage_ != Stage::kServing) {
    control_->send(proto::UpgradeDone{order.request, UpgradeOutcome::kBusy, 0});
    return;
  }
  host_note_ = {id, UpgradeStage::kAsked, UpgradeOutcome::kDone, 0};
  write_host_note();
  keeper_link_.tell(proto::Upgrade{});
}

void Supervisor::on_upgraded(const proto::Upgraded& upgraded) {
  if (host_note_.stage != UpgradeStage::kAsked) return;
  host_note_.outcome = upgraded.outcome;
  host_note_.argument = upgraded.argument;
  if (upgraded.outcome != UpgradeOutcome::kDone) return finish_upgrade();
  host_note_.stage = UpgradeStage::kReplacing;
  write_host_note();
  replace_gateways();
}

void Supervisor::replace_gateways() {
  gateways_->replace([this](ReplaceOutcome outcome) {
    if (outcome == ReplaceOutcome::kFailed) host_note_.outcome = UpgradeOutcome::kGatewayFailed;
    finish_upgrade();
  });
}

void Supervisor::finish_upgrade() {
  host_note_.stage = UpgradeStage::kAnswered;
  write_host_note();
  log_info("upgrade ended", {{"outcome", static_cast<int>(host_note_.outcome)}, {"argument", host_note_.argument}});
  answer_upgrade();
  if (host_note_.outcome == UpgradeOutcome::kDone) control_->replace();
}

void Supervisor::answer_upgrade() {
  if (host_note_.upgrade.control_start != control_->start_number()) return;
  control_->send(proto::UpgradeDone{host_note_.upgrade.request, host_note_.outcome, host_note_.argument});
}

// After taking over: an upgrade that was under way goes on.
void Supervisor::resume_upgrade() {
  if (host_note_.stage == UpgradeStage::kReplacing) return replace_gateways();
  if (host_note_.stage != UpgradeStage::kAsked) return;
  upgrade_timer_ = std::make_unique<Timer>(loop_.get(), [this] {
    // The keeper was never asked.
    if (host_note_.stage == UpgradeStage::kAsked) keeper_link_.tell(proto::Upgrade{});
  });
  upgrade_timer_->start(kOutcomePatience);
}

}  // namespace rowhouse::supervisor
