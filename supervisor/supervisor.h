// The supervisor: one libuv loop, root.  Reads the configuration through loaders, opens the listeners, starts
// gateways, control and the apps' sandboxes, and passes events between them.  It parses no HTTP, JSON, YAML
// and no byte of a tenant's files; what it reads are fixed messages and files of the kernel.
//
//   host file -> directories, cgroups, sockets -> tenants -> control, gateways -> manifests, apps -> serving
//                                                                                      SHUTDOWN -> gateways
//   retire -> apps close -> control closes -> cgroups and sockets are removed -> exit 0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "supervisor/app.h"
#include "supervisor/app_store.h"
#include "supervisor/cgroups.h"
#include "supervisor/config_changes.h"
#include "supervisor/configuration.h"
#include "supervisor/control_link.h"
#include "supervisor/directories.h"
#include "supervisor/gateways.h"
#include "supervisor/graveyard.h"
#include "supervisor/keeper_link.h"
#include "supervisor/last_good.h"
#include "supervisor/launcher.h"
#include "supervisor/leftovers.h"
#include "supervisor/manifest_looks.h"
#include "supervisor/peer_link.h"
#include "supervisor/programs.h"
#include "supervisor/shared_rows.h"
#include "supervisor/spec_change.h"
#include "supervisor/tenant_draft.h"
#include "supervisor/tenant_files.h"
#include "supervisor/tenant_limits.h"
#include "supervisor/tombstones.h"

namespace rowhouse::supervisor {

// How long left-over processes may take to die before we give up on their cgroups.
inline constexpr int kClearPatienceMs = 5'000;
inline constexpr std::chrono::seconds kConfinementPeriod{5};  // between two looks whether all are in their cgroups

// Orders that may wait for a look at a manifest at one time.
inline constexpr std::size_t kMaxLookOrders = 1024;
// Reloads that may wait for the one that is under way.
inline constexpr std::size_t kMaxWaitingRounds = 16;

// What a change of tenant files or manifests did.
struct TenantNews {
  std::string tenant;
  std::string app;  // empty: the tenant itself
  proto::TenantChangeKind kind = proto::TenantChangeKind::kTenantAdded;
};

enum class RunMode : std::uint8_t {
  kServe,
  kCheck,  // --check: read everything, say what is wrong, change nothing
};

// What every gateway is given beside its own sockets; the keeper's store holds them too.
struct GatewayDescriptors {
  std::vector<Door> doors;
  std::vector<std::uint32_t> doors_gone;  // that gateways may still have
  UniqueFd empty_root, spool;
  UniqueFd acme_directory;  // invalid: none
};

class Supervisor final : public GatewaysListener, public ControlListener {
 public:
  Supervisor(std::string config_path, RunMode mode);
  ~Supervisor() override;

  // The exit status: 0 good, 1 the configuration or the start was refused (said on stderr, for kCheck on
  // stdout).
  int run();

 private:
  // --- start, in this order
  void on_host_loaded(ProblemText problem);
  Status prepare_host(std::string& problem);
  void open_start_gate();
  Status open_control(std::string& problem);
  Status open_gateways(std::string& problem);
  Status make_control(UniqueFd listener);
  Status make_gateways(GatewayDescriptors descriptors);
  // --- listening sockets (supervisor_doors.cc)
  Status open_doors(const std::vector<proto::ListenRecord>& listen, std::vector<Door>& doors, std::string& problem);
  void close_doors(const std::vector<Door>& doors);
  [[nodiscard]] std::optional<std::string> open_new_doors(const std::vector<proto::ListenRecord>& wanted,
                                                          std::vector<Door>& fresh);
  void change_doors(const std::vector<proto::ListenRecord>& wanted, std::vector<Door> fresh);
  Status take_over_doors(Estate& estate, std::vector<Door>& doors, std::vector<std::uint32_t>& gone);
  Status open_tombstones(std::string& problem);
  void load_tenants(int directory, const std::vector<std::string>& names);
  void on_tenant_loaded(const std::string& name, TenantAnswer answer);
  void on_tenants_loaded();
  void make_files();
  void make_looks();
  void begin_looking();
  // False, with a problem set, when the tenant's ids could not be written down: nothing runs as it then.
  bool is_remembered(const TenantEntry& tenant);
  void on_manifest_loaded(const TenantEntry& tenant, Configuration::Apps apps, ProblemText problem);
  void finish_check_if_done();
  void report_ready_if_done();
  void watch_confinement();
  void check_confinement();
  void refuse_start(const std::string& sentence);

  // --- the last good configuration (supervisor_kept.cc)
  Status open_last_good(UniqueFd state);
  void keep_text(LastGood::Kind kind, const TenantEntry& tenant, UniqueFd text);
  void load_kept_tenants();
  // What was accepted last of a tenant of which no manifest is in force.
  void try_kept_manifest(const TenantEntry& tenant);
  void on_kept_manifest(const std::string& name, ManifestAnswer answer);
  void end_first_look(const std::string& tenant);

  // --- across supervisors
  Status keep(const proto::KeptRecord& record, int descriptor);
  // What is in force now, in place of what was.
  Status keep_host();
  Status keep_tenant(const TenantEntry& tenant);
  void store_tenant(const TenantEntry& tenant);
  // Or ends the process.
  void take_over(Estate estate);
  Status take_over_host(Estate& estate);
  std::vector<LeftApp> collect_apps(Estate& estate);
  bool take_over_spec(Estate& estate, LeftApp& app);
  std::optional<AppSpec> take_spec(Estate& estate, std::uint32_t app, std::uint32_t reading, KeptSpec& kept);
  Status take_over_table(Estate& estate, const std::vector<LeftApp>& apps);
  Status take_over_sockets(Estate& estate);
  void take_over_app(LeftApp left, std::set<std::string>& groups);
  void attach_command(App& app);
  // What has changed in files meanwhile is found by a first round and a first look at each manifest.
  void watch_files_again();
  // Generations that nobody knows: half made when a supervisor died.
  void sweep_unknown_groups(const std::set<std::string>& known);
  void sweep_groups();

  // --- apps
  [[nodiscard]] AppSurroundings surroundings();
  // A sentence when another tenant's app has one of the routes.
  [[nodiscard]] std::optional<std::string> find_route_conflict(const TenantEntry& tenant,
                                                               const AppSpec& spec) const;
  // Keeps the app's former routes too: an older generation may still serve them.
  void take_routes(const App& app, const AppSpec& spec);
  void add_app(std::unique_ptr<App> app);
  void create_app(const TenantEntry& tenant, AppSpec spec);
  void start_pulse();
  void set_problem(const std::string& tenant, ProblemText problem);
  void clear_problem(const std::string& tenant);
  void apply_command(const proto::Command& command, Configuration::Apps apps, ProblemText problem);
  void answer(std::uint32_t request, const CommandResult& result);
  void tell_app(const proto::Query& query, const App& app);
  [[nodiscard]] App* find_app(std::uint32_t number) const;

  // --- live configuration: tenant files in rounds, manifests one by one (supervisor_live.cc)
  struct RoundScope {
    enum class Kind : std::uint8_t { kChanged, kAll, kTenant };
    Kind kind = Kind::kChanged;
    std::string tenant;  // of kTenant
  };
  struct RoundOutcome {
    std::optional<std::string> problem;  // why no file was read
    std::vector<TenantNews> news;
    std::vector<ConfigChange> changes;  // of tenants in force: what differs, and what the kernel refused
  };
  using RoundCallback = std::function<void(const RoundOutcome&)>;
  struct Round {
    RoundCallback on_done;
    RoundOutcome outcome;
    std::map<std::string, std::optional<TenantEntry>> accepted;  // with the former entry
    std::map<std::string, ProblemText> refused;
    std::map<std::string, UniqueFd> texts;  // of the accepted
    std::size_t accepted_in_pass = 0;
    int passes = 0;
  };
  void on_files_event();
  void begin_round(RoundScope scope, RoundCallback on_done);
  void read_tenants(std::vector<std::string> names);
  void on_pass_done();
  void end_round();
  void apply_tenant(const TenantEntry& tenant, const std::optional<TenantEntry>& former);
  void remove_tenant(const std::string& name);
  void finish_tenant_if_gone(const std::string& name);
  void on_manifest_answer(const std::string& name, ManifestAnswer answer);
  void kill_leaving_apps(const std::string& tenant);
  void apply_apps(const TenantEntry& tenant, Configuration::Apps apps, std::vector<TenantNews>& news);
  void change_app(App& app, AppSpec spec, SpecChange least, std::vector<TenantNews>& news);
  void remove_app(App& app);
  void sweep_left_apps();
  void on_app_left(std::uint32_t number);
  // Runs `order` when what is being read now has been read; false when too many wait already.
  [[nodiscard]] bool wait_for_round(std::function<void()> order);
  void start_waiting_round();
  void release_routes(const App& app);
  [[nodiscard]] std::vector<App*> apps_of(const std::string& tenant) const;  // those that stay
  // One of the apps is still on its way out, alone or in another share.
  [[nodiscard]] bool is_taken(const std::string& tenant, const AppSpec& spec) const;
  void order_look(const std::string& tenant, std::uint32_t request);
  void answer_look_orders(const std::string& tenant, proto::CommandOutcome outcome, ProblemText problem,
                          const std::vector<TenantNews>& news);
  void tell_news(std::uint32_t request, const std::vector<TenantNews>& news);
  void finish_reload(std::uint32_t request, proto::CommandOutcome outcome, ProblemText problem, std::uint32_t changes);
  void set_file_problem(const std::string& tenant, ProblemText problem);
  void clear_file_problem(const std::string& tenant);
  void tell_problem(const std::string& tenant);
  static void log_news(const std::vector<TenantNews>& news);
  void apply_suspension(const TenantEntry& tenant);
  void tell_suspension(const TenantEntry& tenant);

  // --- tenants and manifests that the API writes (supervisor_tenants.cc)
  struct WriteOutcome {
    proto::CommandOutcome outcome = proto::CommandOutcome::kDone;
    Problem problem;        // of a refusal, or
    ProblemText sentences;  // a loader's
    bool created = false;
  };
  void carry_out(const TenantOrder& order);
  void stage_tenant(const TenantOrder& order, const TenantEntry& wanted);
  void on_staged(const TenantOrder& order, const TenantEntry& wanted, TrialAnswer answer);
  void put_tenant_in_place(const TenantOrder& order, bool created);
  void end_staging();
  void finish_write(std::uint32_t request, WriteOutcome outcome);
  void tell_changes(std::uint32_t request, const std::vector<ConfigChange>& changes);
  void answer_removals(const std::string& tenant);
  void tell_tenant(std::uint32_t request, const TenantEntry& tenant);
  void on_manifest_tried(const proto::ManifestOrder& order, const UniqueFd& text, ManifestAnswer answer);
  void on_manifest_put(const proto::ManifestOrder& order, ManifestAnswer answer);

  // --- reload: what the host file's plans say now
  using ReloadCallback = std::function<void(proto::CommandOutcome, ProblemText, const std::vector<ConfigChange>& changes,
                                            const std::vector<TenantNews>& news)>;
  void reload(ReloadCallback on_done);
  void on_reload_signal();
  // Adds what the kernel refused to `changes`.
  void apply_plans(std::map<std::string, Plan> plans, std::vector<ConfigChange>& changes);
  void apply_plan(const TenantEntry& tenant, std::vector<ConfigChange>& changes);
  void tell_app_usage(std::uint32_t request, const App& app);
  void tell_usage(std::uint32_t request, const std::set<std::string>& tenants);
  void tell_last_usage();

  // --- upgrade
  void on_upgraded(const proto::Upgraded& upgraded);
  void replace_gateways();
  void finish_upgrade();
  void answer_upgrade();
  void resume_upgrade();
  void write_host_note();

  // --- end
  void shut_down();
  void set_patience(std::chrono::milliseconds time, std::function<void()> on_end);
  void on_apps_quiet();
  void finish();

  void on_keeper_message(proto::IncomingMessage& message);
  void on_child_exited(const proto::IncomingMessage& message);
  void settle_exit(std::uint64_t child, int code, int status);

  // GatewaysListener
  void on_gateway_started(Gateway& gateway) override;
  void on_gateway_resynced(Gateway& gateway, const GatewaySaid& said) override;
  void on_gateways_settled() override;
  void on_worker_fault(const proto::WorkerFault& fault) override;
  void on_app_wanted(std::uint32_t app) override;
  void on_probed(const proto::Probed& answer) override;
  void on_gateway_ready() override { report_ready_if_done(); }
  void on_gateway_died(const proto::HostDeath& death) override { control_->record(death); }
  void on_all_gateways_retired() override;
  void on_access_socket(std::uint32_t gateway, int socket) override;
  // ControlListener
  void on_control_started() override;
  void on_query(const proto::Query& query) override;
  void on_command(const proto::Command& command) override;
  void on_reload_order(const proto::ReloadOrder& order) override;
  void on_reload_tenant_order(const proto::ReloadTenantOrder& order) override;
  void on_upgrade_order(const proto::UpgradeOrder& order) override;
  void on_tenant_order(TenantOrder order) override;
  void on_tenant_removal(const proto::TenantRemoval& removal) override;
  void on_tenant_query(const proto::TenantQuery& query) override;
  void on_manifest_order(const proto::ManifestOrder& order, UniqueFd text) override;

  enum class Stage : std::uint8_t {
    kStarting,
    kServing,
    kRetiringGateways,
    kClosingApps,
    kClosingControl,
    kDone
  };

  std::string config_path_;
  RunMode mode_;
  int exit_status_ = 0;
  Stage stage_ = Stage::kStarting;
  SystemClock clock_;
  Loop loop_;
  Graveyard graveyard_;
  KeeperLink keeper_link_;
  Launcher launcher_;
  Programs programs_;
  std::map<proto::KeptRecord, Kept> kept_;  // of the host: until the end
  std::unique_ptr<Notebook> notebook_;
  HostNote host_note_;
  NoteRow<HostNote> host_row_;
  std::unique_ptr<Timer> upgrade_timer_;
  Configuration configuration_;
  HostDirectories directories_;
  std::unique_ptr<CgroupTree> cgroups_;
  std::unique_ptr<TenantLimits> limits_;
  std::optional<AppStore> store_;
  std::optional<Tombstones> tombstones_;
  std::unique_ptr<LastGood> last_good_;  // null: --check
  std::unique_ptr<Leftovers> leftovers_;  // while the tenants are read
  std::set<std::string> tenant_files_;
  std::unique_ptr<SharedRows> rows_;
  std::optional<StartGate> starts_;
  std::unique_ptr<ControlLink> control_;
  std::unique_ptr<Gateways> gateways_;
  std::map<std::uint32_t, std::unique_ptr<App>> apps_;  // by number, of a share by that of its first app
  std::map<std::uint32_t, std::uint32_t> shared_;       // further apps of shares: whose first app has which number
  std::map<std::string, ProblemText> problems_;         // of manifests, by tenant
  std::map<std::string, ProblemText> file_problems_;    // of tenant files
  std::unique_ptr<TenantFiles> files_;
  FileListing files_known_;
  std::unique_ptr<ManifestLooks> looks_;
  Round round_;
  bool round_again_ = false;
  std::deque<std::function<void()>> waiting_rounds_;
  std::set<std::string> leaving_tenants_;
  // Apps of which nothing runs any more; removed from the loop, never while somebody walks over the apps.
  std::vector<std::uint32_t> left_apps_;
  Timer sweep_left_{loop_.get(), [this] { sweep_left_apps(); }};
  std::set<std::string> renewed_tenants_;  // their apps get a new generation with the next reading
  std::set<std::string> first_looks_;      // manifests that the start waits for
  std::set<std::string> read_manifests_;   // tenants of which one was accepted, or what was kept was asked for
  std::set<std::string> kept_loading_;     // tenants whose last good manifest is being read
  std::multimap<std::string, std::uint32_t> look_orders_;  // requests that wait, by tenant
  std::multimap<std::string, std::uint32_t> removals_;     // requests that wait until nothing of a tenant runs
  std::map<Route, std::uint32_t> routes_;               // of all apps: who has which
  // The command that waits for its app's manifest, by app.
  std::map<std::uint32_t, std::uint32_t> loading_;
  std::size_t manifests_loading_ = 0;
  bool tenants_loaded_ = false;
  bool reloading_ = false;
  std::size_t apps_closing_ = 0;
  std::unique_ptr<Timer> confinement_;  // the next look whether everything is in its cgroup
  std::unique_ptr<Timer> patience_;  // the deadline of the present stage of the end
  std::unique_ptr<Timer> pulse_;  // of all apps
  std::vector<Cgroup> unknown_groups_;
  std::unique_ptr<Timer> sweep_;
  std::unique_ptr<PeerLink> keeper_;
};

}  // namespace rowhouse::supervisor
