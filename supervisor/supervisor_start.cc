// The supervisor's start: host file, directories, sockets, tenants, manifests, until everything serves.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "proto/keeper_messages.h"
#include "supervisor/directories.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::KeptKind;

Status add_group(const CgroupTree& cgroups, const char* name, Cgroup& group) {
  RH_ASSIGN(group, cgroups.create(name));
  return {};
}

// The owner may be whoever gets the certificates; whoever may rename the directory's parents is trusted.
Result<UniqueFd> open_acme_directory(const std::string& path, std::string& problem) {
  const std::size_t slash = path.rfind('/');
  RH_ASSIGN(const UniqueFd above, open_trusted_directory(path.substr(0, std::max<std::size_t>(slash, 1)), problem));
  UniqueFd directory(
      ::openat(above.get(), path.c_str() + slash + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (directory.valid()) return directory;
  problem = "gateway.acme_challenge \"" + path + "\" cannot be opened as a directory: " + std::strerror(errno);
  return system_error("openat acme_challenge");
}

}  // namespace

void Supervisor::on_host_loaded(ProblemText problem) {
  if (problem.valid()) {
    print_problem(mode_ == RunMode::kCheck ? STDOUT_FILENO : STDERR_FILENO, problem);
    exit_status_ = 1;
    return finish();
  }
  std::string sentence;
  for (const std::string& version : configuration_.host().pythons) {
    if (programs_.find_python(version) != nullptr) continue;
    return refuse_start(config_path_ + ": pythons: no worker was built for Python " + version);
  }
  const std::string tenants = configuration_.host().host.tenants.str();
  const auto directory = open_trusted_directory(tenants, sentence);
  if (!directory.ok()) return refuse_start(config_path_ + ": directories.tenants: " + sentence);
  const auto names = list_tenant_files(directory.value().get());
  if (!names.ok()) return refuse_start(tenants + ": " + describe(names.error()));
  if (mode_ == RunMode::kServe) {
    make_files();
    if (auto listing = files_->list(sentence); listing.ok()) files_known_ = std::move(listing).value();
    if (const Status ready = prepare_host(sentence); !ready.ok()) {
      return refuse_start(sentence.empty() ? describe(ready.error()) : sentence);
    }
  }
  if (const Status opened = open_tombstones(sentence); !opened.ok()) {
    return refuse_start(sentence + ": " + describe(opened.error()));
  }
  const int opened = ::fcntl(directory.value().get(), F_DUPFD_CLOEXEC, 3);
  if (mode_ == RunMode::kCheck) directories_.tenants.reset(opened);
  if (mode_ == RunMode::kServe) ::close(opened);
  load_tenants(directories_.tenants.get(), names.value());
}

Status Supervisor::prepare_host(std::string& problem) {
  const HostConfiguration& host = configuration_.host();
  RH_ASSIGN(directories_, open_host_directories(host, problem));
  auto cgroups = CgroupTree::open(host.host.cgroup_parent.str(), host.host.run.str());
  problem = "cgroups cannot be used";
  if (!cgroups.ok()) problem += ": " + describe(cgroups.error());
  RH_ASSIGN(cgroups_, std::move(cgroups));
  limits_ = std::make_unique<TenantLimits>(*cgroups_, host);
  // Whatever an earlier run left is killed first.
  RH_TRY(cgroups_->clear(kClearPatienceMs));
  Cgroup loaders;
  RH_TRY(add_group(*cgroups_, "loader", loaders));
  configuration_.set_cgroup(std::move(loaders));
  problem = "the file apps in directories.state cannot be read";
  RH_ASSIGN(UniqueFd state, open_trusted_directory(host.host.state.str(), problem));
  RH_ASSIGN(store_, AppStore::open(std::move(state)));
  problem = host.host.state.str() + "/last-good, where the last good configuration is kept, cannot be used";
  RH_ASSIGN(UniqueFd kept, open_trusted_directory(host.host.state.str(), problem));
  if (const Status opened = open_last_good(std::move(kept)); !opened.ok()) {
    problem += ": " + describe(opened.error());
    return opened;
  }
  problem.clear();
  RH_ASSIGN(rows_, SharedRows::create());
  open_start_gate();
  RH_ASSIGN(notebook_, Notebook::create());
  RH_ASSIGN(host_row_, notebook_->take<HostNote>());
  write_host_note();
  RH_TRY(keep({KeptKind::kNotebook, 0, 0, 0}, notebook_->memory()));
  RH_TRY(keep({KeptKind::kSharedTable, 0, 0, 0}, rows_->memory()));
  RH_TRY(keep({KeptKind::kRunDirectory, 0, 0, 0}, directories_.run.get()));
  RH_TRY(keep({KeptKind::kLogDirectory, 0, 0, 0}, directories_.logs.get()));
  RH_TRY(keep({KeptKind::kSpoolDirectory, 0, 0, 0}, directories_.spool.get()));
  RH_TRY(keep({KeptKind::kEmptyRoot, 0, 0, 0}, directories_.empty.get()));
  RH_TRY(keep_host());
  RH_TRY(open_control(problem));
  return open_gateways(problem);
}

// A start costs about half a second of one core: so many keep the host busy and not under water.
void Supervisor::open_start_gate() {
  const std::uint32_t cores = std::max(std::thread::hardware_concurrency(), 1U);
  starts_.emplace(loop_.get(), clock_, StartBucket::Size{8 * cores, 4 * cores, 4 * cores});
}

Status Supervisor::open_control(std::string& problem) {
  RH_ASSIGN(UniqueFd listener, open_control_socket(configuration_.host().host.control_socket.str(), problem));
  problem.clear();
  RH_TRY(keep({KeptKind::kApiSocket, 0, 0, 0}, listener.get()));
  return make_control(std::move(listener));
}

Status Supervisor::make_control(UniqueFd listener) {
  const proto::HostRecord& host = configuration_.host().host;
  ControlLink::Order order;
  order.loop = loop_.get();
  order.clock = &clock_;
  order.launcher = &launcher_;
  order.graveyard = &graveyard_;
  order.program = programs_.control.get();
  order.user = {host.control_uid, host.control_gid};
  RH_TRY(add_group(*cgroups_, "control", order.cgroup));
  order.listener = std::move(listener);
  order.logs = std::move(directories_.logs);
  order.usage = std::move(directories_.usage);
  control_ = std::make_unique<ControlLink>(std::move(order), *this);
  return {};
}

Status Supervisor::open_gateways(std::string& problem) {
  GatewayDescriptors descriptors;
  RH_TRY(open_doors(configuration_.host().listen, descriptors.doors, problem));
  const std::string acme = configuration_.host().gateway.acme_challenge.str();
  if (!acme.empty()) {
    RH_ASSIGN(descriptors.acme_directory, open_acme_directory(acme, problem));
    RH_TRY(keep({KeptKind::kAcmeDirectory, 0, 0, 0}, descriptors.acme_directory.get()));
  }
  descriptors.empty_root = std::move(directories_.empty);
  descriptors.spool = std::move(directories_.spool);
  problem.clear();
  return make_gateways(std::move(descriptors));
}

Status Supervisor::make_gateways(GatewayDescriptors descriptors) {
  const HostConfiguration& host = configuration_.host();
  Gateways::Order order;
  order.loop = loop_.get();
  order.clock = &clock_;
  order.launcher = &launcher_;
  order.graveyard = &graveyard_;
  order.rows = rows_.get();
  order.program = programs_.gateway.get();
  order.empty_root = std::move(descriptors.empty_root);
  order.spool = std::move(descriptors.spool);
  order.user = {host.host.gateway_uid, host.host.gateway_gid};
  RH_TRY(add_group(*cgroups_, "gateway", order.cgroup));
  const std::uint32_t cores = std::clamp(std::thread::hardware_concurrency(), 1u, proto::kMaxGateways);
  order.connections_per_address = host.host.connections_per_address;
  order.count = host.host.gateway_processes != 0 ? host.host.gateway_processes : cores;
  order.doors = std::move(descriptors.doors);
  order.doors_gone = std::move(descriptors.doors_gone);
  order.options = {host.gateway.default_site, host.gateway.penalties, host.gateway.forwarded};
  for (const proto::TrustedProxyRecord& proxy : host.trusted_proxies) {
    order.trusted_proxies.push_back({proxy.local, proxy.ipv6, proxy.address, proxy.bits});
  }
  if (descriptors.acme_directory.valid()) {
    struct stat status {};
    if (::fstat(descriptors.acme_directory.get(), &status) != 0) return system_error("fstat acme_challenge");
    order.acme_uid = status.st_uid;
    order.acme_directory = std::move(descriptors.acme_directory);
  }
  gateways_ = std::make_unique<Gateways>(std::move(order), *this);
  return {};
}

// --check changes nothing: where there is no state directory yet, nobody had an id before.
Status Supervisor::open_tombstones(std::string& problem) {
  const std::string state = configuration_.host().host.state.str();
  if (mode_ == RunMode::kCheck && ::access(state.c_str(), F_OK) != 0) return {};
  problem = "directories.state cannot be opened";
  RH_ASSIGN(UniqueFd directory, open_trusted_directory(state, problem));
  problem = state + "/tenants, which says who had which uid, cannot be used";
  RH_ASSIGN(tombstones_, Tombstones::open(std::move(directory)));
  leftovers_ = std::make_unique<Leftovers>(cgroups_.get());
  configuration_.set_gate([this](const TenantEntry& tenant) {
    return tombstones_->check(tenant, tenant_files_, [this](const Trace& trace) { return leftovers_->find(trace); });
  });
  return {};
}

void Supervisor::load_tenants(int directory, const std::vector<std::string>& names) {
  tenant_files_.insert(names.begin(), names.end());
  configuration_.load_tenants(
      directory, names,
      [this](const std::string& name, TenantAnswer answer) { on_tenant_loaded(name, std::move(answer)); },
      [this] { load_kept_tenants(); });
}

void Supervisor::on_tenant_loaded(const std::string& name, TenantAnswer answer) {
  if (answer.problem.valid()) return set_file_problem(name, std::move(answer.problem));
  round_.texts[name] = std::move(answer.text);
}

void Supervisor::on_tenants_loaded() {
  if (stage_ != Stage::kStarting) return;
  tenants_loaded_ = true;
  if (mode_ == RunMode::kServe) {
    const Status settled =
        tombstones_->settle(configuration_.tenants(), tenant_files_,
                            [this](const Trace& trace) { return leftovers_->find(trace); });
    if (!settled.ok()) log_error("cannot write down who has which uid", {{"reason", settled.error()}});
    if (!tenant_files_.empty()) last_good_->keep_only(tenant_files_);
    for (const auto& [name, tenant] : configuration_.tenants()) {
      store_tenant(tenant);
      if (tombstones_->remembers(tenant)) keep_text(LastGood::Kind::kTenant, tenant, std::move(round_.texts[name]));
    }
    round_.texts.clear();
    control_->start();
    gateways_->start();
    start_pulse();
  }
  leftovers_.reset();
  if (mode_ == RunMode::kServe) return begin_looking();
  manifests_loading_ = configuration_.tenants().size();
  for (const auto& [name, tenant] : configuration_.tenants()) {
    configuration_.load_manifest(tenant, [this, &tenant](Configuration::Apps apps, ProblemText problem) {
      on_manifest_loaded(tenant, std::move(apps), std::move(problem));
    });
  }
  finish_check_if_done();
}

void Supervisor::make_files() {
  const std::string tenants = configuration_.host().host.tenants.str();
  files_ = std::make_unique<TenantFiles>(loop_.get(), tenants, [this] { on_files_event(); });
}

void Supervisor::make_looks() {
  looks_ = std::make_unique<ManifestLooks>(
      loop_.get(), clock_, configuration_, [this](const std::string& tenant, ManifestAnswer answer) {
        on_manifest_answer(tenant, std::move(answer));
      });
}

void Supervisor::begin_looking() {
  make_looks();
  for (const auto& [name, tenant] : configuration_.tenants()) {
    if (!is_remembered(tenant)) continue;
    first_looks_.insert(name);
    looks_->look(name, ManifestLooks::Depth::kIfChanged);
  }
  report_ready_if_done();
}

bool Supervisor::is_remembered(const TenantEntry& tenant) {
  if (tombstones_->remembers(tenant)) return true;
  set_problem(tenant.name, problem_text(tenant.name + ": its uid cannot be written down in " +
                                        configuration_.host().host.state.str() +
                                        "/tenants, so it is not started; make room there and start rowhoused again"));
  return false;
}

void Supervisor::on_manifest_loaded(const TenantEntry& tenant, Configuration::Apps apps, ProblemText problem) {
  --manifests_loading_;
  if (problem.valid()) set_problem(tenant.name, std::move(problem));
  for (auto& [name, spec] : apps) {
    if (const auto conflict = find_route_conflict(tenant, spec)) {
      set_problem(tenant.name, problem_text(*conflict));
    }
  }
  finish_check_if_done();
}

void Supervisor::finish_check_if_done() {
  if (!tenants_loaded_ || manifests_loading_ > 0) return;
  for (const auto* problems : {&file_problems_, &problems_}) {
    for (const auto& [tenant, problem] : *problems) {
      print_problem(STDOUT_FILENO, problem);
      exit_status_ = 1;
    }
  }
  finish();
}

void Supervisor::report_ready_if_done() {
  if (stage_ != Stage::kStarting || !tenants_loaded_ || !first_looks_.empty() || !gateways_->all_ready()) return;
  stage_ = Stage::kServing;
  // From here on the directory's own events are heard; what changed during the start is seen by a first round.
  on_files_event();
  log_info("serving", {{"tenants", configuration_.tenants().size()},
                       {"apps", apps_.size()},
                       {"cgroups", cgroups_->description()}});
  keeper_link_.tell(proto::SupervisorReady{});
  watch_confinement();
}

void Supervisor::watch_confinement() {
  confinement_ = std::make_unique<Timer>(loop_.get(), [this] { check_confinement(); });
  confinement_->repeat(kConfinementPeriod);
}

void Supervisor::check_confinement() {
  if (stage_ != Stage::kServing) return confinement_->stop();
  if (const Status renewed = cgroups_->renew_parents(); !renewed.ok())
    log_error("cannot make a cgroup again", {{"reason", renewed.error()}});
  for (const auto& [number, app] : apps_) app->check_confinement();
}

}  // namespace rowhouse::supervisor
