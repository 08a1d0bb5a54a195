// Loads the configuration through loaders: the host file and the tenants' files as nobody, each manifest as its
// tenant, at most kLoadersAtOnce together, so that one tenant's slow or hostile files delay nobody else for long.
// What is refused is kept as sentences for control; what was accepted before stays.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "supervisor/cgroups.h"
#include "supervisor/graveyard.h"
#include "supervisor/launcher.h"
#include "supervisor/loader_session.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

// Sentences, one a line, in sealed memory: written by a loader or by us, read by control only.
using ProblemText = UniqueFd;

// What came of one tenant's file.
struct TenantAnswer {
  ProblemText problem;                // invalid: it was accepted
  std::optional<TenantEntry> former;  // whose place it took
  UniqueFd text;                      // the file's bytes, sealed
};

// What a file would be that is in no directory yet.
struct TrialAnswer {
  ProblemText problem;                       // the loader's sentences, or invalid
  std::variant<TenantEntry, Problem> found;  // where there is no problem text
};

// What a look at a manifest found.
struct ManifestAnswer {
  std::map<std::string, AppSpec> apps;  // when there is no problem and the file has changed
  ProblemText problem;                  // invalid: none
  bool unchanged = false;               // the file is the known one
  proto::FileIdentity identity;         // as the tenant's loader says
  bool ordered_again = false;           // somebody has asked for another look since this one began
  UniqueFd watch;                       // inotify descriptor of the tenant's making, or invalid
  UniqueFd text;                        // the bytes that it was read from, as the tenant's loader says, or invalid
};

class Configuration {
 public:
  using Apps = std::map<std::string, AppSpec>;

  Configuration(uv_loop_t* loop, Launcher& launcher, Graveyard& graveyard)
      : loop_(loop),
        launcher_(launcher),
        graveyard_(graveyard),
        start_next_(loop, [this] { start_manifest_loads(); }) {}

  // The opened rowhouse-loader, and the versions that a host file without `pythons` offers.
  void set_programs(int loader, std::vector<std::string> built_pythons) {
    program_ = loader;
    built_pythons_ = std::move(built_pythons);
  }
  // Loaders run in this group from now on.  Before: in ours.
  void set_cgroup(Cgroup cgroup) { cgroup_ = std::move(cgroup); }

  // Asked after all other checks whether a tenant may have its ids.
  using Gate = std::function<std::optional<Problem>(const TenantEntry&)>;
  void set_gate(Gate gate) { gate_ = std::move(gate); }

  // `on_done` gets the problem, invalid when the host file is good.
  void load_host(std::string path, std::function<void(ProblemText)> on_done);
  // Reads the host file again and changes nothing.  REQUIRES: no tenant is being loaded.
  using HostCallback = std::function<void(ProblemText, HostConfiguration)>;
  void read_host_again(std::string path, HostCallback on_done);
  // The plans of a newer host file are in force from now on.  REQUIRES: every tenant's plan is among them.
  // In force from now on, in the order of the doors.
  void set_listen(std::vector<proto::ListenRecord> listen) { host_.listen = std::move(listen); }
  void set_plans(std::map<std::string, Plan> plans) { host_.plans = std::move(plans); }
  // Loads tenants one after the other: `on_tenant` for each, with a problem or an accepted entry, which then takes
  // the place of the former one; then `on_done`.  REQUIRES: nothing is being read by this one or the two above.
  using TenantCallback = std::function<void(const std::string& name, TenantAnswer)>;
  void load_tenants(int directory, std::vector<std::string> names, TenantCallback on_tenant,
                    std::function<void()> on_done);
  // The same with texts in the place of files that are broken: what was accepted of them last.
  using Texts = std::map<std::string, std::string>;  // by tenant
  void load_kept_tenants(Texts texts, TenantCallback on_tenant, std::function<void()> on_done);
  // Reads `file` as the tenant's file, without taking it over.  REQUIRES: as for load_tenants().
  void try_tenant(const std::string& name, UniqueFd file, std::function<void(TrialAnswer)> on_done);
  void remove_tenant(const std::string& name) { tenants_.remove(name); }
  // `on_done` gets the apps, or a problem.
  void load_manifest(const TenantEntry& tenant, std::function<void(Apps, ProblemText)> on_done);
  // The same with what is needed to look again; a file whose identity is `known` is not parsed.
  void look_at_manifest(const std::string& tenant, const proto::FileIdentity& known,
                        std::function<void(ManifestAnswer)> on_done);
  // The same with `text`, the last manifest that was accepted, in the place of the file.
  void load_kept_manifest(const std::string& tenant, std::string text, std::function<void(ManifestAnswer)> on_done);
  // What an earlier supervisor had accepted.  REQUIRES: the host first.
  void adopt_host(HostConfiguration host) { host_ = std::move(host); }
  void adopt_tenant(TenantEntry tenant) { tenants_.add(std::move(tenant)); }
  // A manifest that came through the API: `on_done` gets its apps, or a problem.  With kWrite the tenant's loader makes
  // it the tenant's file as well.
  void put_manifest(const std::string& tenant, UniqueFd text, proto::ManifestUse use,
                    std::function<void(ManifestAnswer)> on_done);
  // Forgets what is under way.
  void cancel();

  [[nodiscard]] const HostConfiguration& host() const { return host_; }
  [[nodiscard]] const std::map<std::string, TenantEntry>& tenants() const { return tenants_.all(); }
  [[nodiscard]] const TenantIndex& tenant_index() const { return tenants_; }

 private:
  enum class LoadKind : std::uint8_t { kLoad, kLook, kKept, kTry, kWrite };
  struct ManifestLoad {
    std::string tenant;
    LoadKind kind = LoadKind::kLoad;
    proto::FileIdentity known;
    std::function<void(ManifestAnswer)> on_done;
    std::string text;  // of kKept
    std::shared_ptr<UniqueFd> put;  // of kTry and kWrite: sealed memory
  };

  Result<std::unique_ptr<LoaderSession>> start_session(LaunchUser user);
  void read_host(std::string path, HostCallback on_done);
  // REQUIRES: load_host() has succeeded; its loader is used.
  void load_next_tenant();
  void fail_remaining_tenants(const std::string& first);
  Result<UniqueFd> open_tenant_source(const std::string& name);
  void on_tenant_outcome(const std::string& name, LoadOutcome outcome);
  void send_manifest_order(LoaderSession& session, const TenantEntry& tenant, const ManifestLoad& load,
                           LoaderSession::Callback on_outcome);
  void start_manifest_loads();
  void start_manifest_load(ManifestLoad load);
  void on_manifest_outcome(const ManifestLoad& load, LoadOutcome outcome);

  uv_loop_t* loop_;
  Launcher& launcher_;
  Graveyard& graveyard_;
  int program_ = -1;
  std::vector<std::string> built_pythons_;
  Cgroup cgroup_;
  HostConfiguration host_;
  Gate gate_;
  TenantIndex tenants_;
  std::unique_ptr<LoaderSession> session_;  // as nobody
  int tenants_directory_ = -1;
  Texts kept_texts_;  // of the tenants being loaded, in the place of their files
  std::deque<std::string> names_;
  TenantCallback on_tenant_;
  std::function<void()> on_tenants_done_;
  std::deque<ManifestLoad> waiting_;
  std::map<std::uint64_t, std::unique_ptr<LoaderSession>> sessions_;  // as tenants
  std::uint64_t next_session_ = 0;
  Timer start_next_;
};

// A problem of our own, as control gets it.
[[nodiscard]] ProblemText problem_text(const std::string& sentence);
// Copies sentences to `output` with control bytes escaped, for an operator's terminal.
void print_problem(int output, const ProblemText& problem);

}  // namespace rowhouse::supervisor
