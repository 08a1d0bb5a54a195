#include "supervisor/configuration.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/files.h"
#include "base/foreign_files.h"
#include "supervisor/directories.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::size_t kLoadersAtOnce = 4;
constexpr LaunchUser kNobody{65534, 65534};
constexpr int kTenantFileFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

std::string path_of(const HostConfiguration& host, const std::string& tenant) {
  return host.host.tenants.str() + "/" + tenant + ".yaml";
}

std::string manifest_path(const TenantEntry& tenant) { return tenant.home + "/" + tenant.manifest; }

// The loader's own sentences, or one about the loader.
ProblemText problem_of(LoadOutcome& outcome, const std::string& file) {
  if (outcome.problem.valid()) return std::move(outcome.problem);
  return problem_text(file + ": " + outcome.failure);
}

}  // namespace

ProblemText problem_text(const std::string& sentence) {
  auto memory = create_sealed_memory("problem", as_bytes(sentence));
  return memory.ok() ? std::move(memory).value() : UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void print_problem(int output, const ProblemText& problem) {
  const auto text = read_sealed_memory(problem.get(), proto::kMaxErrorTextBytes);
  if (!text.ok()) return;
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string shown;
  for (const char c : text.value()) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || (byte >= 0x20 && byte < 0x7f)) {
      shown += c;
    } else {
      shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  if (!shown.ends_with('\n')) shown += '\n';
  [[maybe_unused]] const Status written = write_all(output, shown);
}

Result<std::unique_ptr<LoaderSession>> Configuration::start_session(LaunchUser user) {
  return LoaderSession::start(loop_, launcher_, program_, user, cgroup_);
}

void Configuration::read_host(std::string path, HostCallback on_done) {
  std::string problem;
  const auto file = open_trusted_file(path, problem);
  if (!file.ok()) return on_done(problem_text(problem), {});
  auto session = start_session(kNobody);
  if (!session.ok()) {
    return on_done(problem_text("cannot start rowhouse-loader: " + describe(session.error())), {});
  }
  session_ = std::move(session).value();
  const auto on_outcome = [this, path, on_done = std::move(on_done)](LoadOutcome outcome) {
    if (!outcome.loaded) return on_done(problem_of(outcome, path), {});
    auto records = read_host_records(outcome.records);
    if (auto* refused = std::get_if<Problem>(&records)) {
      return on_done(problem_text(path + ": " + refused->sentence), {});
    }
    HostConfiguration host = std::move(std::get<HostConfiguration>(records));
    if (host.pythons.empty()) host.pythons = built_pythons_;
    if (host.pythons.empty()) return on_done(problem_text(path + ": no worker was built for any Python"), {});
    on_done(ProblemText(), std::move(host));
  };
  session_->load(proto::LoadHost{proto::Path::cut(path)}, {file.value().get()}, on_outcome);
}

void Configuration::load_host(std::string path, std::function<void(ProblemText)> on_done) {
  read_host(std::move(path), [this, on_done = std::move(on_done)](ProblemText problem, HostConfiguration host) {
    if (!problem.valid()) host_ = std::move(host);
    on_done(std::move(problem));
  });
}

void Configuration::read_host_again(std::string path, HostCallback on_done) {
  read_host(std::move(path), [this, on_done = std::move(on_done)](ProblemText problem, HostConfiguration host) {
    graveyard_.bury(std::move(session_));
    on_done(std::move(problem), std::move(host));
  });
}

void Configuration::load_tenants(int directory, std::vector<std::string> names, TenantCallback on_tenant,
                                 std::function<void()> on_done) {
  tenants_directory_ = directory;
  names_.assign(names.begin(), names.end());
  on_tenant_ = std::move(on_tenant);
  on_tenants_done_ = std::move(on_done);
  kept_texts_.clear();
  load_next_tenant();
}

void Configuration::load_kept_tenants(Texts texts, TenantCallback on_tenant, std::function<void()> on_done) {
  kept_texts_ = std::move(texts);
  names_.clear();
  for (const auto& [name, text] : kept_texts_) names_.push_back(name);
  on_tenant_ = std::move(on_tenant);
  on_tenants_done_ = std::move(on_done);
  load_next_tenant();
}

Result<UniqueFd> Configuration::open_tenant_source(const std::string& name) {
  const auto kept = kept_texts_.find(name);
  if (kept != kept_texts_.end()) return create_sealed_memory("tenant", as_bytes(kept->second));
  UniqueFd file(::openat(tenants_directory_, (name + ".yaml").c_str(), kTenantFileFlags));
  if (!file.valid()) return system_error("openat tenant file");
  return file;
}

void Configuration::load_next_tenant() {
  if (names_.empty()) {
    graveyard_.bury(std::move(session_));
    const auto on_done = std::exchange(on_tenants_done_, nullptr);
    return on_done();
  }
  const std::string name = names_.front();
  names_.pop_front();
  const std::string path = path_of(host_, name);
  const auto file = open_tenant_source(name);
  if (!is_name(name) || !file.ok()) {
    LoadOutcome outcome;
    outcome.failure = is_name(name) ? "cannot be opened" : "the file's name must be a-z, 0-9 and -, at most 63, and .yaml";
    return on_tenant_outcome(name, std::move(outcome));
  }
  if (session_ == nullptr || !session_->alive()) {
    graveyard_.bury(std::move(session_));
    auto session = start_session(kNobody);
    if (!session.ok()) return fail_remaining_tenants(name);
    session_ = std::move(session).value();
  }
  session_->load(proto::LoadTenant{proto::Name::cut(name), proto::Path::cut(path)}, {file.value().get()},
                 [this, name](LoadOutcome outcome) { on_tenant_outcome(name, std::move(outcome)); });
}

void Configuration::fail_remaining_tenants(const std::string& first) {
  names_.push_front(first);
  for (const std::string& name : std::exchange(names_, {})) {
    on_tenant_(name, {problem_text(path_of(host_, name) + ": cannot start rowhouse-loader"), std::nullopt, UniqueFd()});
  }
  load_next_tenant();
}

void Configuration::on_tenant_outcome(const std::string& name, LoadOutcome outcome) {
  const std::string path = path_of(host_, name);
  if (!outcome.loaded) {
    on_tenant_(name, {problem_of(outcome, path), std::nullopt, UniqueFd()});
  } else {
    auto tenant = read_tenant_records(name, outcome.records, host_, tenants_);
    if (auto* entry = std::get_if<TenantEntry>(&tenant); entry != nullptr && gate_) {
      if (auto refused = gate_(*entry)) tenant = *std::move(refused);
    }
    if (auto* refused = std::get_if<Problem>(&tenant)) {
      on_tenant_(name, {problem_text(path + ": " + refused->sentence), std::nullopt, UniqueFd()});
    } else {
      const auto found = tenants().find(name);
      std::optional<TenantEntry> former;
      if (found != tenants().end()) former = found->second;
      tenants_.add(std::move(std::get<TenantEntry>(tenant)));
      on_tenant_(name, {ProblemText(), std::move(former), std::move(outcome.text)});
    }
  }
  load_next_tenant();
}

void Configuration::try_tenant(const std::string& name, UniqueFd file, std::function<void(TrialAnswer)> on_done) {
  const std::string path = path_of(host_, name);
  auto session = start_session(kNobody);
  if (!session.ok()) {
    return on_done({problem_text(path + ": cannot start rowhouse-loader"), Problem{}});
  }
  session_ = std::move(session).value();
  const auto on_outcome = [this, name, path, on_done = std::move(on_done)](LoadOutcome outcome) {
    graveyard_.bury(std::move(session_));
    if (!outcome.loaded) return on_done({problem_of(outcome, path), Problem{}});
    auto found = read_tenant_records(name, outcome.records, host_, tenants_);
    if (const auto* entry = std::get_if<TenantEntry>(&found); entry != nullptr && gate_) {
      if (auto refused = gate_(*entry)) found = *std::move(refused);
    }
    on_done({ProblemText(), std::move(found)});
  };
  session_->load(proto::LoadTenant{proto::Name::cut(name), proto::Path::cut(path)}, {file.get()}, on_outcome);
}

void Configuration::put_manifest(const std::string& tenant, UniqueFd text, proto::ManifestUse use,
                                 std::function<void(ManifestAnswer)> on_done) {
  const LoadKind kind = use == proto::ManifestUse::kWrite ? LoadKind::kWrite : LoadKind::kTry;
  waiting_.push_back({tenant, kind, {}, std::move(on_done), {}, std::make_shared<UniqueFd>(std::move(text))});
  start_manifest_loads();
}

void Configuration::load_manifest(const TenantEntry& tenant, std::function<void(Apps, ProblemText)> on_done) {
  const auto pass_on = [on_done = std::move(on_done)](ManifestAnswer answer) {
    on_done(std::move(answer.apps), std::move(answer.problem));
  };
  waiting_.push_back({tenant.name, LoadKind::kLoad, {}, pass_on, {}, nullptr});
  start_manifest_loads();
}

void Configuration::look_at_manifest(const std::string& tenant, const proto::FileIdentity& known,
                                     std::function<void(ManifestAnswer)> on_done) {
  waiting_.push_back({tenant, LoadKind::kLook, known, std::move(on_done), {}, nullptr});
  start_manifest_loads();
}

void Configuration::load_kept_manifest(const std::string& tenant, std::string text,
                                       std::function<void(ManifestAnswer)> on_done) {
  waiting_.push_back({tenant, LoadKind::kKept, {}, std::move(on_done), std::move(text), nullptr});
  start_manifest_loads();
}

void Configuration::start_manifest_loads() {
  while (!waiting_.empty() && sessions_.size() < kLoadersAtOnce) {
    ManifestLoad load = std::move(waiting_.front());
    waiting_.pop_front();
    start_manifest_load(std::move(load));
  }
}

void Configuration::start_manifest_load(ManifestLoad load) {
  const auto refuse = [&load](const std::string& sentence) {
    ManifestAnswer answer;
    answer.problem = problem_text(sentence);
    load.on_done(std::move(answer));
  };
  const auto found = tenants().find(load.tenant);
  if (found == tenants().end()) return refuse(load.tenant + ": the tenant has gone");
  const TenantEntry& tenant = found->second;
  const std::string file = manifest_path(tenant);
  // The last gate before a process becomes a tenant (THREATS S22).
  if (const auto refused = check_identity(tenant.uid, tenant.gid, host_)) {
    return refuse(file + ": " + refused->sentence);
  }
  auto session = start_session({tenant.uid, tenant.gid});
  if (!session.ok()) return refuse(file + ": cannot start a loader: " + describe(session.error()));
  const std::uint64_t number = ++next_session_;
  LoaderSession& started = *session.value();
  sessions_[number] = std::move(session).value();
  const auto on_outcome = [this, number, load](LoadOutcome outcome) {
    graveyard_.bury(std::move(sessions_.at(number)));
    sessions_.erase(number);
    on_manifest_outcome(load, std::move(outcome));
    start_next_.start(std::chrono::milliseconds(0));
  };
  send_manifest_order(started, tenant, load, on_outcome);
}

void Configuration::send_manifest_order(LoaderSession& session, const TenantEntry& tenant, const ManifestLoad& load,
                                        LoaderSession::Callback on_outcome) {
  const auto name = proto::Name::cut(tenant.name), user = proto::Name::cut(tenant.user);
  const auto home = proto::Path::cut(tenant.home), manifest = proto::Path::cut(tenant.manifest);
  const auto python = proto::Text<15>::cut(host_.pythons.front());
  if (load.kind == LoadKind::kLoad) {
    return session.load(proto::LoadManifest{name, user, home, manifest, python}, {}, std::move(on_outcome));
  }
  if (load.kind == LoadKind::kLook) {
    const proto::LookAtManifest look{name, user, home, manifest, python, load.known};
    return session.load(look, {}, std::move(on_outcome));
  }
  if (load.put != nullptr) {
    const auto use = load.kind == LoadKind::kWrite ? proto::ManifestUse::kWrite : proto::ManifestUse::kTry;
    return session.load(proto::PutManifest{name, user, home, manifest, python, use}, {load.put->get()},
                        std::move(on_outcome));
  }
  const auto memory = create_sealed_memory("manifest", as_bytes(load.text));
  // Without memory for it the loader says that this is no regular file.
  const UniqueFd nothing(memory.ok() ? -1 : ::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int text = memory.ok() ? memory.value().get() : nothing.get();
  session.load(proto::LoadKeptManifest{name, user, home, manifest, python}, {text}, std::move(on_outcome));
}

void Configuration::on_manifest_outcome(const ManifestLoad& load, LoadOutcome outcome) {
  ManifestAnswer answer;
  answer.identity = outcome.identity;
  answer.watch = std::move(outcome.watch);
  const auto found = tenants().find(load.tenant);
  const std::string file = found == tenants().end() ? load.tenant : manifest_path(found->second);
  if (found == tenants().end()) {
    answer.problem = problem_text(file + ": the tenant has gone");
  } else if (outcome.unchanged && load.known != proto::FileIdentity{}) {
    answer.unchanged = true;
  } else if (!outcome.loaded) {
    answer.problem = problem_of(outcome, file);
  } else {
    auto apps = read_manifest_records(outcome.records, found->second, host_);
    if (auto* refused = std::get_if<Problem>(&apps)) {
      answer.problem = problem_text(file + ": " + refused->sentence);
    } else {
      answer.apps = std::move(std::get<Apps>(apps));
      if (load.kind == LoadKind::kLook) answer.text = std::move(outcome.text);
    }
  }
  if (outcome.text.valid()) close_foreign_file(std::move(outcome.text));
  load.on_done(std::move(answer));
}

void Configuration::cancel() {
  waiting_.clear();
  names_.clear();
  for (auto& [number, session] : sessions_) graveyard_.bury(std::move(session));
  sessions_.clear();
  graveyard_.bury(std::move(session_));
}

}  // namespace rowhouse::supervisor
