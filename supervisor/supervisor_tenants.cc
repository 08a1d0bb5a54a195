// Tenants and manifests that the API writes.
//
//   draft -> the file is read as it is now -> merged, checked -> written under a name that nobody reads, fsync
//         -> a loader reads it back -> compared -> renamed, fsync of the directory -> a round reads it -> answer
//   removal -> unlink, fsync of the directory -> a round sees it -> nothing of the tenant runs any more -> answer
//
// A death at any moment leaves the old file or the new one; control repeats its order to the next supervisor.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::CommandOutcome;
using proto::TenantKey;
using proto::TenantWriteMode;

// One order is carried out at a time, so there is at most one of it; the next order replaces it.
constexpr const char* kStagedName = ".api-staged";
constexpr std::uint32_t kMaxTenantsOfAnswer = 256;

Result<UniqueFd> write_staged(int directory, const std::string& text) {
  if (::unlinkat(directory, kStagedName, 0) != 0 && errno != ENOENT) return system_error("unlinkat");
  const UniqueFd file(
      ::openat(directory, kStagedName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return system_error("openat");
  RH_TRY(write_all(file.get(), text));
  if (::fsync(file.get()) != 0) return system_error("fsync");
  UniqueFd reading(::openat(directory, kStagedName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!reading.valid()) return system_error("openat");
  return reading;
}

void drop_staged(int directory) { ::unlinkat(directory, kStagedName, 0); }

Problem disk_problem(const std::string& directory, const Error& error) {
  return {directory + " cannot be written: " + describe(error)};
}

}  // namespace

// --- writing -----------------------------------------------------------------------------------------------

void Supervisor::on_tenant_order(TenantOrder order) {
  if (reloading_ && stage_ == Stage::kServing && wait_for_round([this, order] { on_tenant_order(order); })) return;
  const std::uint32_t request = order.draft.request;
  if (reloading_ || stage_ != Stage::kServing) return finish_write(request, {CommandOutcome::kBusy, {}, {}, false});
  // What was changed by hand a moment ago is what the order is merged with.
  begin_round(RoundScope{RoundScope::Kind::kTenant, order.draft.tenant.str()},
              [this, order = std::move(order)](const RoundOutcome& outcome) {
                if (outcome.problem) {
                  return finish_write(order.draft.request, {CommandOutcome::kFailed, {*outcome.problem}, {}, false});
                }
                carry_out(order);
              });
}

void Supervisor::carry_out(const TenantOrder& order) {
  const std::string name = order.draft.tenant.str();
  const std::uint32_t request = order.draft.request;
  const auto refuse = [&](CommandOutcome outcome, Problem problem) {
    finish_write(request, {outcome, std::move(problem), {}, false});
  };
  if (leaving_tenants_.contains(name)) {
    return refuse(CommandOutcome::kConflict, {"the tenant " + name + " is leaving; try again when nothing of it runs"});
  }
  const auto found = configuration_.tenants().find(name);
  const TenantEntry* current = found == configuration_.tenants().end() ? nullptr : &found->second;
  const bool broken = file_problems_.contains(name);
  if (order.draft.mode == TenantWriteMode::kChange) {
    if (current == nullptr && !broken) return refuse(CommandOutcome::kNotFound, {});
    // What stands there was written by somebody who is not done.
    if (broken) {
      return refuse(CommandOutcome::kConflict,
                    {"the file of " + name + " was changed by hand and is refused; mend it, or replace the tenant"});
    }
  }
  auto merged = merge_order(order, current);
  if (auto* refused = std::get_if<Problem>(&merged)) return refuse(CommandOutcome::kFailed, std::move(*refused));
  const TenantEntry& wanted = std::get<TenantEntry>(merged);
  if (auto problem = check_wanted(wanted, configuration_.host(), configuration_.tenant_index())) {
    return refuse(CommandOutcome::kFailed, std::move(*problem));
  }
  const bool same = current != nullptr && !broken && !compare_with_wanted(wanted, *current);
  if (same && files_known_.contains(name)) return finish_write(request, {});
  stage_tenant(order, wanted);
}

void Supervisor::stage_tenant(const TenantOrder& order, const TenantEntry& wanted) {
  auto staged = write_staged(files_->directory(), format_tenant_file(wanted));
  if (!staged.ok()) {
    drop_staged(files_->directory());
    const Problem problem = disk_problem(configuration_.host().host.tenants.str(), staged.error());
    return finish_write(order.draft.request, {CommandOutcome::kFailed, problem, {}, false});
  }
  reloading_ = true;
  leftovers_ = std::make_unique<Leftovers>(cgroups_.get());
  tenant_files_.insert(wanted.name);
  configuration_.try_tenant(wanted.name, std::move(staged).value(),
                            [this, order, wanted](TrialAnswer answer) { on_staged(order, wanted, std::move(answer)); });
}

void Supervisor::on_staged(const TenantOrder& order, const TenantEntry& wanted, TrialAnswer answer) {
  reloading_ = false;
  leftovers_.reset();
  if (!files_known_.contains(wanted.name)) tenant_files_.erase(wanted.name);
  if (stage_ != Stage::kServing) return drop_staged(files_->directory());
  WriteOutcome refused{CommandOutcome::kFailed, {}, {}, false};
  if (answer.problem.valid()) {
    refused.sentences = std::move(answer.problem);
  } else if (auto* problem = std::get_if<Problem>(&answer.found)) {
    refused.problem = std::move(*problem);
    if (wanted.uid == 0 && (refused.problem.key == TenantKey::kUid || refused.problem.key == TenantKey::kGid)) {
      refused.problem.key = TenantKey::kUser;
    }
  } else if (auto differs = compare_with_wanted(wanted, std::get<TenantEntry>(answer.found))) {
    refused.problem = std::move(*differs);
  } else {
    return put_tenant_in_place(order, !configuration_.tenants().contains(wanted.name));
  }
  drop_staged(files_->directory());
  finish_write(order.draft.request, std::move(refused));
  end_staging();
}

// Nothing was put in its place, so no round follows that would see what has changed meanwhile.
void Supervisor::end_staging() {
  if (round_again_ && stage_ == Stage::kServing) files_->remind(TenantFiles::kSettle);
  start_waiting_round();
}

void Supervisor::put_tenant_in_place(const TenantOrder& order, bool created) {
  const std::string name = order.draft.tenant.str();
  const std::uint32_t request = order.draft.request;
  const int directory = files_->directory();
  if (order.draft.trial) {
    drop_staged(directory);
    finish_write(request, {CommandOutcome::kDone, {}, {}, created});
    return end_staging();
  }
  Status placed;
  if (::renameat(directory, kStagedName, directory, (name + ".yaml").c_str()) != 0) placed = system_error("renameat");
  if (placed.ok() && ::fsync(directory) != 0) placed = system_error("fsync directory");
  if (!placed.ok()) {
    drop_staged(directory);
    const Problem problem = disk_problem(configuration_.host().host.tenants.str(), placed.error());
    finish_write(request, {CommandOutcome::kFailed, problem, {}, false});
    return end_staging();
  }
  begin_round(RoundScope{RoundScope::Kind::kTenant, name}, [this, name, request, created](const RoundOutcome& outcome) {
    WriteOutcome written{CommandOutcome::kDone, {}, {}, created};
    const auto refused = file_problems_.find(name);
    if (outcome.problem) {
      written = {CommandOutcome::kFailed, {*outcome.problem}, {}, false};
    } else if (refused != file_problems_.end()) {
      written.outcome = CommandOutcome::kFailed;
      written.sentences.reset(::fcntl(refused->second.get(), F_DUPFD_CLOEXEC, 3));
    } else {
      tell_changes(request, outcome.changes);
      tell_news(request, outcome.news);
    }
    finish_write(request, std::move(written));
  });
}

void Supervisor::tell_changes(std::uint32_t request, const std::vector<ConfigChange>& changes) {
  std::uint32_t told = 0;
  for (const ConfigChange& change : changes) {
    if (told++ == proto::kMaxReloadChanges) return;
    control_->send(proto::ReloadChange{request, proto::Name::cut(change.plan), proto::Name::cut(change.tenant),
                                       change.key, change.effect});
  }
}

void Supervisor::finish_write(std::uint32_t request, WriteOutcome outcome) {
  if (!outcome.sentences.valid()) outcome.sentences = problem_text(outcome.problem.sentence);
  control_->send(proto::TenantWritten{request, outcome.outcome, outcome.created, outcome.problem.key,
                                      outcome.problem.index},
                 {outcome.sentences.get()});
}

// --- removal -----------------------------------------------------------------------------------------------

void Supervisor::on_tenant_removal(const proto::TenantRemoval& removal) {
  if (reloading_ && stage_ == Stage::kServing && wait_for_round([this, removal] { on_tenant_removal(removal); })) return;
  const std::string name = removal.tenant.str();
  const auto answer = [&](CommandOutcome outcome, Problem problem) {
    finish_write(removal.request, {outcome, std::move(problem), {}, false});
  };
  if (reloading_ || stage_ != Stage::kServing) return answer(CommandOutcome::kBusy, {});
  if (!is_name(name)) return answer(CommandOutcome::kNotFound, {});
  std::string problem;
  if (!files_->list(problem).ok()) return answer(CommandOutcome::kFailed, {problem});  // opened as it is now
  const int directory = files_->directory();
  const bool had_file = ::unlinkat(directory, (name + ".yaml").c_str(), 0) == 0;
  if (!had_file && errno != ENOENT) {
    return answer(CommandOutcome::kFailed, disk_problem(configuration_.host().host.tenants.str(), system_error("unlinkat")));
  }
  if (!had_file && !configuration_.tenants().contains(name)) return answer(CommandOutcome::kNotFound, {});
  if (::fsync(directory) != 0) {
    return answer(CommandOutcome::kFailed,
                  disk_problem(configuration_.host().host.tenants.str(), system_error("fsync directory")));
  }
  if (removals_.size() >= kMaxLookOrders) return answer(CommandOutcome::kBusy, {});
  begin_round(RoundScope{RoundScope::Kind::kTenant, name}, [this, name, request = removal.request](const RoundOutcome& outcome) {
    if (outcome.problem) return finish_write(request, {CommandOutcome::kFailed, {*outcome.problem}, {}, false});
    if (!leaving_tenants_.contains(name)) return finish_write(request, {});
    removals_.emplace(name, request);
  });
}

void Supervisor::answer_removals(const std::string& tenant) {
  const auto [first, last] = removals_.equal_range(tenant);
  for (auto removal = first; removal != last; ++removal) finish_write(removal->second, {});
  removals_.erase(first, last);
}

// --- reading -----------------------------------------------------------------------------------------------

void Supervisor::on_tenant_query(const proto::TenantQuery& query) {
  const auto& tenants = configuration_.tenants();
  if (!query.tenant.empty()) {
    const auto found = tenants.find(query.tenant.str());
    if (found != tenants.end()) {
      tell_tenant(query.request, found->second);
      for (const Domain& domain : found->second.domains) {
        control_->send(proto::TenantDetailDomain{query.request, proto::Host::cut(domain.host), domain.wildcard});
      }
    }
    return control_->send(proto::TenantQueryEnd{query.request, false});
  }
  std::uint32_t told = 0;
  auto next = tenants.upper_bound(query.after.str());
  for (; next != tenants.end() && told < std::min(query.limit, kMaxTenantsOfAnswer); ++next, ++told) {
    tell_tenant(query.request, next->second);
  }
  control_->send(proto::TenantQueryEnd{query.request, next != tenants.end()});
}

void Supervisor::tell_tenant(std::uint32_t request, const TenantEntry& tenant) {
  proto::TenantDetail detail;
  detail.request = request;
  detail.tenant = proto::Name::cut(tenant.name);
  detail.user = proto::Name::cut(tenant.user);
  detail.uid = tenant.uid;
  detail.gid = tenant.gid;
  detail.home = proto::Path::cut(tenant.home);
  detail.plan = proto::Name::cut(tenant.plan);
  detail.manifest = proto::Path::cut(tenant.manifest);
  detail.domains = static_cast<std::uint32_t>(tenant.domains.size());
  detail.network = network_of(tenant, configuration_.host()).mode;
  const auto suspension = tenant.suspensions.find("");
  detail.suspended = suspension != tenant.suspensions.end();
  if (detail.suspended) detail.reason = proto::SuspensionReason::cut(suspension->second);
  detail.leaving = leaving_tenants_.contains(tenant.name);
  control_->send(detail);
}

// --- manifests ---------------------------------------------------------------------------------------------

void Supervisor::on_manifest_order(const proto::ManifestOrder& order, UniqueFd text) {
  const std::string name = order.tenant.str();
  if (stage_ != Stage::kServing) return finish_reload(order.request, CommandOutcome::kBusy, ProblemText(), 0);
  if (!configuration_.tenants().contains(name) || leaving_tenants_.contains(name)) {
    return finish_reload(order.request, CommandOutcome::kNotFound, ProblemText(), 0);
  }
  UniqueFd copy(::fcntl(text.get(), F_DUPFD_CLOEXEC, 3));
  const auto kept = std::make_shared<UniqueFd>(std::move(text));
  configuration_.put_manifest(name, std::move(copy), proto::ManifestUse::kTry, [this, order, kept](ManifestAnswer answer) {
    on_manifest_tried(order, *kept, std::move(answer));
  });
}

void Supervisor::on_manifest_tried(const proto::ManifestOrder& order, const UniqueFd& text, ManifestAnswer answer) {
  const std::string name = order.tenant.str();
  const auto found = configuration_.tenants().find(name);
  if (answer.problem.valid()) {
    return finish_reload(order.request, CommandOutcome::kFailed, std::move(answer.problem), 0);
  }
  if (stage_ != Stage::kServing || found == configuration_.tenants().end()) {
    return finish_reload(order.request, CommandOutcome::kNotFound, ProblemText(), 0);
  }
  for (const auto& [app, spec] : answer.apps) {
    if (const auto conflict = find_route_conflict(found->second, spec)) {
      return finish_reload(order.request, CommandOutcome::kFailed, problem_text(*conflict), 0);
    }
  }
  if (order.use == proto::ManifestUse::kWrite) {
    // The loader reads the same sealed bytes from their beginning.
    ::lseek(text.get(), 0, SEEK_SET);
    UniqueFd copy(::fcntl(text.get(), F_DUPFD_CLOEXEC, 3));
    return configuration_.put_manifest(name, std::move(copy), proto::ManifestUse::kWrite,
                                       [this, order](ManifestAnswer put) { on_manifest_put(order, std::move(put)); });
  }
  std::set<std::string> known, wanted;  // each app of a share by its own name
  for (const App* app : apps_of(name)) {
    for (const App::Identity& identity : app->identities()) known.insert(identity.name);
  }
  for (const auto& [app, spec] : answer.apps) {
    for (const AppFront* front : spec.fronts()) wanted.insert(front->settings.name.str());
  }
  std::vector<TenantNews> news;
  for (const std::string& app : known) {
    if (!wanted.contains(app)) news.push_back({name, app, proto::TenantChangeKind::kAppRemoved});
  }
  for (const std::string& app : wanted) {
    if (!known.contains(app)) news.push_back({name, app, proto::TenantChangeKind::kAppAdded});
  }
  tell_news(order.request, news);
  finish_reload(order.request, CommandOutcome::kDone, ProblemText(), 0);
}

void Supervisor::on_manifest_put(const proto::ManifestOrder& order, ManifestAnswer answer) {
  if (answer.problem.valid()) {
    return finish_reload(order.request, CommandOutcome::kFailed, std::move(answer.problem), 0);
  }
  order_look(order.tenant.str(), order.request);
}

}  // namespace rowhouse::supervisor
