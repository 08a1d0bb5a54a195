// A supervisor that comes after one that has died: it takes over what the keeper holds - host, tenants, apps as they
// were in force, every process and socket - and asks the peers what they have.  No file of the configuration is read.
//
//   store -> notebook, host, tenants -> cgroups, sockets -> apps with their sandboxes and workers -> control, gateways
//   -> Resync to everybody -> Adopted
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/files.h"
#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/kept_configuration.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::KeptKind;
using proto::KeptRecord;

constexpr int kCannotTakeOver = 3;
constexpr std::size_t kMaxKeptRecordsBytes = 16 * 1024 * 1024;

Error missing(const char* what) {
  return make_error(ErrorCode::kNotFound, what);
}

Result<std::string> read_kept(Estate& estate, const KeptRecord& record) {
  const UniqueFd memory = estate.take(record);
  if (!memory.valid()) return missing("records in the keeper's store");
  return read_sealed_memory(memory.get(), kMaxKeptRecordsBytes);
}

// Ends at once, without a destructor: they would give up in the store and in the notes what the next try needs.
void require(const Status& status) {
  if (status.ok()) return;
  log_error("cannot take over", {{"reason", status.error()}});
  ::_exit(kCannotTakeOver);
}

// Everything of one kind.
std::vector<KeptRecord> records_of(const Estate& estate, KeptKind kind) {
  std::vector<KeptRecord> records;
  for (const auto& [record, descriptor] : estate.descriptors) {
    if (record.kind == kind) records.push_back(record);
  }
  return records;
}

}  // namespace

// --- stored from the start on ---------------------------------------------------------------------------

Status Supervisor::keep(const KeptRecord& record, int descriptor) {
  RH_ASSIGN(Kept kept, Kept::keep(keeper_link_, record, descriptor));
  kept_.insert_or_assign(record, std::move(kept));
  return {};
}

Status Supervisor::keep_host() {
  RH_ASSIGN(const UniqueFd records, create_sealed_memory("host", as_bytes(encode_host(configuration_.host()))));
  // Replaced in the store, not taken away first.
  return keeper_link_.keep({KeptKind::kHostRecords, 0, 0, 0}, records.get());
}

Status Supervisor::keep_tenant(const TenantEntry& tenant) {
  RH_ASSIGN(const UniqueFd records, create_sealed_memory("tenant", as_bytes(encode_tenant(tenant))));
  return keeper_link_.keep({KeptKind::kTenantRecords, tenant.uid, 0, 0}, records.get());
}

void Supervisor::store_tenant(const TenantEntry& tenant) {
  const Status kept = keep_tenant(tenant);
  if (!kept.ok()) log_error("cannot store a tenant", {{"tenant", tenant.name}, {"reason", kept.error()}});
}

// --- taking over ----------------------------------------------------------------------------------------

void Supervisor::take_over(Estate estate) {
  auto notebook = Notebook::adopt(estate.take({KeptKind::kNotebook, 0, 0, 0}));
  require(notebook.ok() ? Status() : Status(notebook.error()));
  notebook_ = std::move(notebook).value();
  require(take_over_host(estate));
  auto host_notes = notebook_->read_all<HostNote>();
  require(host_notes.empty() ? Status(missing("the host's note")) : Status());
  host_note_ = host_notes.front().first;
  host_row_ = std::move(host_notes.front().second);
  std::vector<LeftApp> apps = collect_apps(estate);
  require(take_over_table(estate, apps));
  require(take_over_sockets(estate));
  std::set<std::string> groups;
  for (LeftApp& app : apps) take_over_app(std::move(app), groups);
  tenants_loaded_ = true;
  stage_ = Stage::kServing;
  gateways_->adopt(estate);
  control_->adopt(estate);
  for (const LeftChild& loader : estate.loaders) signal_process(loader.pidfd, SIGKILL);
  sweep_unknown_groups(groups);
  for (const auto& [number, app] : apps_) {
    attach_command(*app);
    app->carry_on();
    if (app->was_leaving()) remove_app(*app);
  }
  // What nobody has taken out belongs to something that never came to be, or is no more.
  for (const auto& [record, descriptor] : estate.descriptors) keeper_link_.discard(record);
  for (const auto& [record, child] : estate.children) signal_process(child.pidfd, SIGKILL);
  watch_confinement();
  start_pulse();
  keeper_link_.tell(proto::Adopted{});
  resume_upgrade();
  watch_files_again();
  log_info("took over", {{"tenants", configuration_.tenants().size()}, {"apps", apps_.size()}});
}

// Of no file is known which one was read: each counts as changed.
void Supervisor::watch_files_again() {
  make_files();
  make_looks();
  for (const auto& [name, tenant] : configuration_.tenants()) {
    files_known_[name] = proto::FileIdentity{};
    tell_problem(name);  // none, before they are read
    tell_suspension(tenant);
    read_manifests_.insert(name);
  }
  on_files_event();
}

Status Supervisor::take_over_host(Estate& estate) {
  std::string problem;
  RH_ASSIGN(const std::string records, read_kept(estate, {KeptKind::kHostRecords, 0, 0, 0}));
  auto host = decode_host(as_bytes(records));
  if (!host) return make_error(ErrorCode::kInvalid, "the host's records");
  configuration_.adopt_host(*std::move(host));
  const proto::HostRecord& record = configuration_.host().host;
  for (const KeptRecord& tenant : records_of(estate, KeptKind::kTenantRecords)) {
    RH_ASSIGN(const std::string bytes, read_kept(estate, tenant));
    auto entry = decode_tenant(as_bytes(bytes), configuration_.host(), configuration_.tenant_index());
    if (!entry) return make_error(ErrorCode::kInvalid, "a tenant's records");
    tenant_files_.insert(entry->name);
    configuration_.adopt_tenant(*std::move(entry));
  }
  RH_ASSIGN(directories_.tenants, open_trusted_directory(record.tenants.str(), problem));
  RH_ASSIGN(directories_.state, open_trusted_directory(record.state.str(), problem));
  RH_ASSIGN(directories_.usage, open_usage_directory(directories_.state.get(), record, problem));
  directories_.run = estate.take({KeptKind::kRunDirectory, 0, 0, 0});
  directories_.logs = estate.take({KeptKind::kLogDirectory, 0, 0, 0});
  if (!directories_.run.valid() || !directories_.logs.valid()) return missing("directories in the keeper's store");
  RH_ASSIGN(cgroups_, CgroupTree::open(record.cgroup_parent.str(), record.run.str()));
  limits_ = std::make_unique<TenantLimits>(*cgroups_, configuration_.host());
  for (const auto& [name, tenant] : configuration_.tenants()) limits_->renew(tenant);
  RH_ASSIGN(Cgroup loaders, cgroups_->create("loader"));
  configuration_.set_cgroup(std::move(loaders));
  RH_ASSIGN(UniqueFd state, open_trusted_directory(record.state.str(), problem));
  RH_ASSIGN(store_, AppStore::open(std::move(state)));
  RH_ASSIGN(UniqueFd tombs, open_trusted_directory(record.state.str(), problem));
  RH_ASSIGN(tombstones_, Tombstones::open(std::move(tombs)));
  RH_ASSIGN(UniqueFd kept, open_trusted_directory(record.state.str(), problem));
  if (const Status opened = open_last_good(std::move(kept)); !opened.ok()) {
    // What runs goes on; only the next start from nothing would miss it.
    log_error("the last good configuration is not kept", {{"reason", opened.error()}});
  }
  open_start_gate();
  return {};
}

// Each app's note with everything that belongs to it.
std::vector<LeftApp> Supervisor::collect_apps(Estate& estate) {
  std::map<std::uint32_t, LeftApp> apps;
  std::map<std::uint32_t, std::uint32_t> firsts;  // of further apps of shares
  for (auto& [note, row] : notebook_->read_all<AppNote>()) {
    LeftApp app;
    app.note = note;
    app.row = std::move(row);
    apps.emplace(note.number, std::move(app));
    for (const AppNote::Other& other : note.others) {
      if (other.number != 0) firsts[other.number] = note.number;
    }
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, LeftSandbox*> sandboxes;
  for (auto& [note, row] : notebook_->read_all<SandboxNote>()) {
    const auto app = apps.find(note.app);
    if (app == apps.end()) continue;
    LeftSandbox sandbox;
    sandbox.note = note;
    sandbox.row = std::move(row);
    sandbox.steward = estate.take_child({KeptKind::kSteward, note.app, note.generation, 0});
    sandbox.control = estate.take({KeptKind::kSteward, note.app, note.generation, 0});
    app->second.sandboxes.push_back(std::move(sandbox));
  }
  for (auto& [number, app] : apps) {
    for (LeftSandbox& sandbox : app.sandboxes) sandboxes[{number, sandbox.note.generation}] = &sandbox;
  }
  for (auto& [note, row] : notebook_->read_all<WorkerNote>()) {
    const auto sandbox = sandboxes.find({note.app, note.generation});
    if (sandbox == sandboxes.end()) continue;
    LeftWorker worker;
    worker.note = note;
    worker.row = std::move(row);
    worker.lifeline = estate.take({KeptKind::kLifeline, note.app, note.generation, note.worker});
    worker.process = estate.take({KeptKind::kWorkerProcess, note.app, note.generation, note.worker});
    sandbox->second->workers.push_back(std::move(worker));
  }
  for (const KeptRecord& record : records_of(estate, KeptKind::kLog)) {
    const auto shared = firsts.find(record.app);
    const std::uint32_t first = shared == firsts.end() ? record.app : shared->second;
    if (!sandboxes.contains({first, record.generation})) continue;
    apps.at(first).log_pipes.push_back({record, estate.take(record)});
  }
  std::vector<LeftApp> collected;
  for (auto& [number, app] : apps) {
    if (take_over_spec(estate, app)) {
      collected.push_back(std::move(app));
    } else {
      log_error("an app cannot be taken over: its manifest's reading is not in the store", {{"app", number}});
    }
  }
  return collected;
}

// The reading in force; the next one in its place when the change from one to the other was under way.
bool Supervisor::take_over_spec(Estate& estate, LeftApp& app) {
  auto current = take_spec(estate, app.note.number, app.note.reading, app.kept_spec);
  auto next = take_spec(estate, app.note.number, app.note.next_reading, app.kept_next_spec);
  if (!current && next) {
    current.swap(next);
    std::swap(app.kept_spec, app.kept_next_spec);
  }
  if (!current) return false;
  app.spec = *std::move(current);
  app.next_spec = std::move(next);
  return true;
}

std::optional<AppSpec> Supervisor::take_spec(Estate& estate, std::uint32_t app, std::uint32_t reading,
                                             KeptSpec& kept) {
  if (reading == 0) return std::nullopt;
  const auto take = [&](KeptKind kind, std::uint32_t which) {
    const KeptRecord record{kind, app, reading, which};
    UniqueFd descriptor = estate.take(record);
    if (descriptor.valid()) kept.entries.push_back(Kept::take_over(keeper_link_, record));
    return descriptor;
  };
  const UniqueFd memory = take(KeptKind::kAppRecords, 0);
  const auto bytes = memory.valid() ? read_sealed_memory(memory.get(), kMaxKeptRecordsBytes)
                                    : Result<std::string>(missing("app records"));
  auto spec = bytes.ok() ? decode_app(as_bytes(bytes.value())) : std::nullopt;
  if (!spec) return std::nullopt;
  spec->worker_part = take(KeptKind::kWorkerPart, 0);
  std::uint32_t front_number = 0, directory_number = 0;
  const auto take_front = [&](AppFront& front) {
    front.gateway_part = take(KeptKind::kGatewayPart, front_number++);
    for (StaticDirectory& each : front.statics) each.directory = take(KeptKind::kStaticDirectory, directory_number++);
    return std::all_of(front.statics.begin(), front.statics.end(), [](const auto& each) { return each.directory.valid(); });
  };
  if (!take_front(*spec) || !std::all_of(spec->others.begin(), spec->others.end(), take_front)) return std::nullopt;
  if (!spec->worker_part.valid()) return std::nullopt;
  kept.reading = reading;
  return spec;
}

Status Supervisor::take_over_table(Estate& estate, const std::vector<LeftApp>& apps) {
  std::vector<std::uint32_t> app_rows, worker_rows;
  for (const LeftApp& app : apps) {
    app_rows.push_back(app.note.row);
    for (const AppNote::Other& other : app.note.others) {
      if (other.number != 0) app_rows.push_back(other.row);
    }
    for (const LeftSandbox& sandbox : app.sandboxes) {
      for (const LeftWorker& worker : sandbox.workers) {
        const proto::WorkerState state = worker.note.state;
        const bool serves = state == proto::WorkerState::kReady || state == proto::WorkerState::kDraining;
        const std::vector<std::uint32_t> rows = serves ? rows_in(worker.note) : std::vector<std::uint32_t>();
        worker_rows.insert(worker_rows.end(), rows.begin(), rows.end());
      }
    }
  }
  UniqueFd table = estate.take({KeptKind::kSharedTable, 0, 0, 0});
  if (!table.valid()) return missing("the shared table in the keeper's store");
  RH_ASSIGN(rows_, SharedRows::adopt(std::move(table), app_rows, worker_rows));
  return {};
}

Status Supervisor::take_over_sockets(Estate& estate) {
  UniqueFd api = estate.take({KeptKind::kApiSocket, 0, 0, 0});
  GatewayDescriptors descriptors;
  if (!api.valid()) return missing("the API's socket in the keeper's store");
  RH_TRY(take_over_doors(estate, descriptors.doors, descriptors.doors_gone));
  descriptors.empty_root = estate.take({KeptKind::kEmptyRoot, 0, 0, 0});
  descriptors.spool = estate.take({KeptKind::kSpoolDirectory, 0, 0, 0});
  descriptors.acme_directory = estate.take({KeptKind::kAcmeDirectory, 0, 0, 0});
  if (!descriptors.empty_root.valid() || !descriptors.spool.valid()) {
    return missing("the gateways' directories in the keeper's store");
  }
  RH_TRY(make_control(std::move(api)));
  return make_gateways(std::move(descriptors));
}

void Supervisor::take_over_app(LeftApp left, std::set<std::string>& groups) {
  const auto& tenants = configuration_.tenants();
  const auto tenant = std::find_if(tenants.begin(), tenants.end(),
                                   [&](const auto& entry) { return entry.second.uid == left.note.uid; });
  if (tenant == tenants.end()) {
    log_error("an app cannot be taken over: its tenant is not in the store", {{"app", left.note.number}});
    return;
  }
  const std::string path = app_group(tenant->first, left.spec.settings.name.str());
  std::unique_ptr<App> app = App::adopt(surroundings(), tenant->second, std::move(left));
  for (const std::uint32_t generation : app->generations()) groups.insert(path + "/g" + std::to_string(generation));
  add_app(std::move(app));
}

// A command that was under way is answered to the control process that gave it; another one will not ask.
void Supervisor::attach_command(App& app) {
  const CommandId command = app.last_command();
  if (command.request == 0 || app.last_result() || command.control_start != control_->start_number()) return;
  app.attach([this, request = command.request](const CommandResult& result) { answer(request, result); });
}

void Supervisor::sweep_unknown_groups(const std::set<std::string>& known) {
  for (const std::string& path : cgroups_->list_generations()) {
    if (known.contains(path)) continue;
    // Whole, so that it can be killed and removed in each hierarchy.
    auto group = cgroups_->create(path);
    if (group.ok()) unknown_groups_.push_back(std::move(group).value());
  }
  sweep_groups();
}

void Supervisor::sweep_groups() {
  constexpr std::chrono::milliseconds kSweepPause{20};
  std::erase_if(unknown_groups_, [](Cgroup& group) {
    [[maybe_unused]] const Status killed = group.kill();
    return group.remove().ok();
  });
  if (unknown_groups_.empty()) return;
  if (sweep_ == nullptr) sweep_ = std::make_unique<Timer>(loop_.get(), [this] { sweep_groups(); });
  sweep_->start(kSweepPause);
}

// --- gateways that were taken over ----------------------------------------------------------------------

void Supervisor::on_gateway_resynced(Gateway& gateway, const GatewaySaid& said) {
  for (const auto& [number, app] : apps_) {
    app->reintroduce_to(gateway, said.apps);
  }
  for (const auto& [number, workers] : said.apps) {
    if (find_app(number) == nullptr) gateway.link().send(proto::AppRemove{number});
  }
}

void Supervisor::on_gateways_settled() {
  for (const auto& [number, app] : apps_) app->on_gateways_settled();
}

}  // namespace rowhouse::supervisor
