// What the supervisor tells the keeper and asks of it: children, descriptors, the take-over, upgrades.
#include <csignal>

#include "base/log.h"
#include "supervisor/keeper.h"
#include "supervisor/launcher.h"

namespace rowhouse::supervisor {

void Keeper::on_supervisor_ready() {
  constexpr int kMessagesPerTurn = 64;
  for (int i = 0; i < kMessagesPerTurn && receive_one(); ++i) {
  }
}

// True when another message may be there.
bool Keeper::receive_one() {
  auto received = proto::receive_control(socket_.get());
  if (received.ok()) {
    on_message(received.value());
    return true;
  }
  // At end of file the pidfd tells the rest; stop looking at a socket that stays readable.
  if (received.error().code != ErrorCode::kWouldBlock) unwatch(socket_.get());
  return false;
}

void Keeper::on_message(proto::IncomingMessage& message) {
  switch (static_cast<int>(message.type)) {
    case static_cast<int>(proto::MessageType::kPong): unanswered_pings_ = 0; return;
    case static_cast<int>(proto::MessageType::kChild): return on_child(message);
    case static_cast<int>(proto::MessageType::kKeep): return on_keep(message);
    case static_cast<int>(proto::MessageType::kDiscard): {
      const auto discard = proto::decode_message<proto::Discard>(message);
      if (discard.ok()) kept_.erase(discard.value().record);
      return;
    }
    case static_cast<int>(proto::MessageType::kExitSeen): {
      const auto seen = proto::decode_message<proto::ExitSeen>(message);
      const auto found = seen.ok() ? children_.find(seen.value().child) : children_.end();
      if (found != children_.end() && found->second.exited) children_.erase(found);
      return;
    }
    case static_cast<int>(proto::MessageType::kFetch): return on_fetch();
    case static_cast<int>(proto::MessageType::kSupervisorReady): return on_ready();
    case static_cast<int>(proto::MessageType::kAdopted): return on_adopted();
    case static_cast<int>(proto::MessageType::kUpgrade): return on_upgrade();
    default: return;
  }
}

void Keeper::on_child(proto::IncomingMessage& message) {
  const auto child = proto::decode_message<proto::Child>(message);
  if (!child.ok() || children_.contains(child.value().child) || child.value().child <= kSupervisorTag) return;
  Process process{child.value().child, static_cast<pid_t>(child.value().pid),
                  std::move(message.descriptors.front()), child.value().record, std::nullopt};
  if (watch(process.pidfd.get(), process.child).ok()) {
    children_.emplace(process.child, std::move(process));
  }
}

void Keeper::on_keep(proto::IncomingMessage& message) {
  const auto keep = proto::decode_message<proto::Keep>(message);
  if (!keep.ok() || kept_.size() >= proto::kMaxKept) return;
  kept_.insert_or_assign(keep.value().record, std::move(message.descriptors.front()));
}

void Keeper::on_fetch() {
  if (fetched_) return;
  fetched_ = true;
  const bool serving = stage_ != Stage::kStarting;
  for (const auto& [record, descriptor] : kept_) send(proto::Keep{record}, descriptor.get());
  for (const auto& [child, process] : children_) {
    send(proto::Child{child, static_cast<std::uint32_t>(process.pid), process.record}, process.pidfd.get());
  }
  for (const auto& [child, process] : children_) {
    if (process.exited) send(*process.exited);
  }
  send(proto::Fetched{serving, static_cast<std::uint32_t>(kept_.size()),
                      static_cast<std::uint32_t>(children_.size())});
}

void Keeper::on_ready() {
  if (stage_ != Stage::kStarting) return;
  stage_ = Stage::kServing;
  healthy_at_ = clock_.now() + kHealthyAfter;
  manager_.tell_ready();
}

void Keeper::on_adopted() {
  if (stage_ != Stage::kTakingOver && stage_ != Stage::kReplaced) return;
  stage_ = Stage::kServing;
  failed_adoptions_ = 0;
  healthy_at_ = clock_.now() + kHealthyAfter;
  adoption_deadline_.reset();
  if (program_.on_trial()) {
    program_.accept_candidate();
    outcome_ = proto::Upgraded{proto::UpgradeOutcome::kDone, 0};
  }
  if (outcome_) send(*outcome_);
  outcome_.reset();
}

void Keeper::on_upgrade() {
  if (stage_ != Stage::kServing) return send(proto::Upgraded{proto::UpgradeOutcome::kBusy, 0});
  if (const Status opened = program_.open_candidate(); !opened.ok()) {
    log_error("cannot upgrade", {{"reason", opened.error()}});
    return send(proto::Upgraded{proto::UpgradeOutcome::kCannotOpen, opened.error().system_errno});
  }
  log_info("replacing the supervisor");
  stage_ = Stage::kReplaced;
  signal_process(supervisor_.pidfd, SIGKILL);
}

}  // namespace rowhouse::supervisor
