// Whether what runs is still where its limits are.  The groups are ours, but root, systemd or another manager may remove
// one, move processes out of it or take a controller away; then an app would go on without a limit.  The supervisor
// looks every kConfinementPeriod: such a sandbox is ended, and the next start makes its groups anew.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/log.h"
#include "supervisor/app.h"
#include "supervisor/cgroups.h"
#include "supervisor/sandbox.h"
#include "supervisor/worker.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;

// Of a group that was removed nothing can be looked up, although its directory is still open.
bool has_file(int directory, const char* name) {
  return ::faccessat(directory, name, F_OK, 0) == 0;
}

bool has_limits(int directory, CgroupVersion version, const Controllers& has) {
  const bool v2 = version == CgroupVersion::kV2;
  return has_file(directory, "cgroup.procs") && (!has.pids || has_file(directory, "pids.max")) &&
         (!has.memory || has_file(directory, v2 ? "memory.max" : "memory.limit_in_bytes")) &&
         (!has.cpu || has_file(directory, v2 ? "cpu.max" : "cpu.cfs_quota_us"));
}

}  // namespace

bool Cgroup::stands() const {
  return !members_.empty() && std::all_of(members_.begin(), members_.end(), [this](const Member& member) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    return has_limits(member.directory.get(), hierarchy.version, hierarchy.has);
  });
}

Status CgroupTree::renew_parents() {
  for (Hierarchy& hierarchy : hierarchies_) {
    if (has_file(hierarchy.directory.get(), "cgroup.procs")) continue;
    log_error("a cgroup of ours was removed", {{"path", hierarchy.mount + hierarchy.parent}});
    RH_TRY(open_parent(hierarchy, hierarchy.parent));
  }
  return {};
}

// From GO on, which is said when it is in its leaf, until it is being killed.  A process that has just ended is in no
// group any more: that is looked at last.  One that is dying has left its group before its pidfd tells, for as long as
// the kernel takes to free its memory: only the second look in a row counts.
bool Worker::is_confined() {
  if (life_.state == proto::WorkerState::kSpawning || life_.state == proto::WorkerState::kDying) return true;
  if (!leaf_.stands()) return has_ended(pidfd_);
  missed_looks_ = leaf_.contains(pid_) ? 0 : missed_looks_ + 1;
  return missed_looks_ < 2 || has_ended(pidfd_);
}

bool Sandbox::is_confined() {
  if (phase_ != Phase::kStanding) return true;
  const bool steward = order_.steward.stands() && order_.steward.contains(steward_process_.pid);
  if (!steward && !has_ended(steward_process_.pidfd)) return false;
  const std::vector<Worker*> all = processes();
  return order_.group.stands() &&
         std::all_of(all.begin(), all.end(), [](Worker* worker) { return worker->is_confined(); });
}

void Sandbox::on_unconfined() {
  for (Worker* worker : processes()) worker->kill(Cause::kUnconfined);
  // With the init of its namespace everything in it ends, in whatever group it is now.
  signal_process(steward_process_.pidfd, SIGKILL);
  fail({Cause::kUnconfined, 0, {}});
}

void App::check_confinement() {
  if (sandboxes().empty()) return;
  const auto outer = around_.cgroups->open_existing(tenant_group(tenant_.name));
  const auto inner = around_.cgroups->open_existing(app_group(tenant_.name, name_));
  const bool groups = outer.ok() && inner.ok() && outer.value().stands() && inner.value().stands();
  for (Sandbox* sandbox : sandboxes()) {
    if (!sandbox->standing() || (groups && sandbox->is_confined())) continue;
    log_error("an app is not in its cgroups any more",
              {{"app", tenant_.name + "/" + name_}, {"generation", sandbox->generation()}});
    sandbox->on_unconfined();
  }
}

}  // namespace rowhouse::supervisor
