#include "supervisor/manifest_looks.h"

#include <utility>

#include "base/foreign_files.h"

namespace rowhouse::supervisor {

ManifestLooks::~ManifestLooks() {
  for (auto& [tenant, entry] : entries_) unwatch(entry);
}

ManifestLooks::Entry& ManifestLooks::entry_of(const std::string& tenant) {
  const auto [found, is_new] = entries_.try_emplace(tenant);
  Entry& entry = found->second;
  if (is_new) {
    entry.serial = next_serial_++;
    entry.timer = std::make_unique<Timer>(loop_, [this, tenant] { begin(tenant); });
  }
  return entry;
}

void ManifestLooks::assume(const std::string& tenant, const proto::FileIdentity& known) {
  entry_of(tenant).known = known;
}

void ManifestLooks::look(const std::string& tenant, Depth depth) {
  Entry& entry = entry_of(tenant);
  entry.forced = entry.forced || depth == Depth::kForced;
  entry.schedule.on_order(clock_.now());
  arrange(entry);
}

void ManifestLooks::forget(const std::string& tenant) {
  const auto found = entries_.find(tenant);
  if (found == entries_.end()) return;
  unwatch(found->second);
  entries_.erase(found);
}

void ManifestLooks::arrange(Entry& entry) {
  const auto due = entry.schedule.due();
  if (!due) return entry.timer->stop();
  const Duration wait = std::max(Duration::zero(), *due - clock_.now());
  entry.timer->start(std::chrono::ceil<std::chrono::milliseconds>(wait));
}

void ManifestLooks::begin(const std::string& tenant) {
  Entry& entry = entries_.at(tenant);
  const bool forced = std::exchange(entry.forced, false);
  entry.schedule.on_begun(clock_.now());
  configuration_.look_at_manifest(tenant, forced ? proto::FileIdentity{} : entry.known,
                                  [this, tenant, serial = entry.serial](ManifestAnswer answer) {
                                    on_done(tenant, serial, std::move(answer));
                                  });
}

void ManifestLooks::on_done(const std::string& tenant, std::uint64_t serial, ManifestAnswer answer) {
  const auto found = entries_.find(tenant);
  if (found == entries_.end() || found->second.serial != serial) {
    if (answer.watch.valid()) close_foreign_file(std::move(answer.watch));
    if (answer.text.valid()) close_foreign_file(std::move(answer.text));
    return;
  }
  Entry& entry = found->second;
  unwatch(entry);
  if (answer.watch.valid()) watch(tenant, entry, std::move(answer.watch));
  // A refused file is read again at every look: what it lacks may be there by then.
  const bool refused = answer.problem.valid();
  entry.known = refused ? proto::FileIdentity{} : answer.identity;
  const bool settled = !refused && entry.watch.valid();
  entry.schedule.on_done(clock_.now(), settled ? LookResult::kSettled : LookResult::kOpen);
  arrange(entry);
  answer.ordered_again = entry.schedule.ordered();
  on_answer_(tenant, std::move(answer));
}

void ManifestLooks::watch(const std::string& tenant, Entry& entry, UniqueFd descriptor) {
  entry.watch = std::move(descriptor);
  entry.poll = std::make_unique<Poll>(loop_, entry.watch.get(), [this, tenant](int) {
    Entry& woken = entries_.at(tenant);
    unwatch(woken);
    woken.schedule.on_event(clock_.now());
    arrange(woken);
  });
  entry.poll->watch(UV_READABLE);
}

void ManifestLooks::unwatch(Entry& entry) {
  if (entry.poll != nullptr) entry.poll->stop();
  entry.poll.reset();
  if (entry.watch.valid()) close_foreign_file(std::move(entry.watch));
}

}  // namespace rowhouse::supervisor
