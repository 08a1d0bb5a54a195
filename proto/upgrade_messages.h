// Between the supervisor and rowhouse-control: putting the programs on disk in the place of those that run.
#pragma once

#include "proto/keeper_messages.h"
#include "proto/message.h"

namespace rowhouse::proto {

// control -> supervisor.  Repeated after a Resync until UpgradeDone has come.
struct UpgradeOrder {
  static constexpr MessageType kType = MessageType::kUpgradeOrder;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request); }
};

// supervisor -> control.
struct UpgradeDone {
  static constexpr MessageType kType = MessageType::kUpgradeDone;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  UpgradeOutcome outcome = UpgradeOutcome::kDone;
  std::int32_t argument = 0;  // as in Upgraded
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.outcome, m.argument); }
};

// supervisor -> control: stop accepting and reading logs, finish the answers that are under way within the
// time, exit 0.
struct ControlRetire {
  static constexpr MessageType kType = MessageType::kControlRetire;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t drain_ms = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.drain_ms); }
};

}  // namespace rowhouse::proto
