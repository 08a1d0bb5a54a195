#include "supervisor/death_ledger.h"

#include <algorithm>

#include "base/log.h"

namespace rowhouse::supervisor {
namespace {

proto::DeathStored name_of(const proto::Death& death) {
  return {death.app, death.generation, death.worker, death.at_ms};
}

proto::DeathStored name_of(const proto::HostDeath& death) {
  return {0, static_cast<std::uint32_t>(death.process), death.number, death.at_ms};
}

proto::DeathStored name_of(const DeathLedger::Entry& entry) {
  return std::visit([](const auto& death) { return name_of(death); }, entry);
}

}  // namespace

void DeathLedger::add(const Entry& entry) {
  if (entries_.size() == kMaxEntries) {
    log_warning("a death was told and never acknowledged", {{"app", name_of(entries_.front()).app}});
    entries_.pop_front();
  }
  entries_.push_back(entry);
  send_(entries_.back());
}

void DeathLedger::repeat() const {
  for (const Entry& entry : entries_) send_(entry);
}

void DeathLedger::on_stored(const proto::DeathStored& stored) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return name_of(entry) == stored; });
  if (found != entries_.end()) entries_.erase(found);
}

}  // namespace rowhouse::supervisor
