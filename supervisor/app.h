// One app and its life: which generation serves, which one is being started, what dies and what comes back.
//
//   state        serving   next    meaning
//   stopped         -       -      an operator stopped it; nothing runs
//   starting        -      yes     the first workers of a generation are being started
//   running        yes      -      at least workers.min workers are ready
//   degraded       yes      -      serving, but the last restart failed or workers are missing
//   restarting     yes     yes     a new generation is being started beside the serving one
//   backoff         -       ?      nothing serves; the next try waits for its time
//   idle            -       -      workers.min is 0 and nobody has asked for anything: a request starts it
//   suspended       -       -      it or its tenant is; nothing runs, and only the operator can change that
//
// A dead worker is replaced in the same generation, at once the first time, then with backoff.  A restart
// starts a new generation; the gateways switch when all its workers are ready and healthy; the old one then
// drains.  Which state that makes: app_state.h.  How many workers: scaling.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "proto/control_messages.h"
#include "supervisor/app_state.h"
#include "supervisor/app_store.h"
#include "supervisor/backoff.h"
#include "supervisor/control_link.h"
#include "supervisor/gateways.h"
#include "supervisor/registry.h"
#include "supervisor/sandbox.h"
#include "supervisor/scaling.h"
#include "supervisor/spec_change.h"
#include "supervisor/start_gate.h"
#include "supervisor/tenant_limits.h"
#include "supervisor/touch_schedule.h"

namespace rowhouse::supervisor {

// What an app needs of the rest of the supervisor.
struct AppSurroundings {
  uv_loop_t* loop = nullptr;
  const Clock* clock = nullptr;
  Launcher* launcher = nullptr;
  const Programs* programs = nullptr;
  Graveyard* graveyard = nullptr;
  CgroupTree* cgroups = nullptr;
  TenantLimits* limits = nullptr;
  AppStore* store = nullptr;
  SharedRows* rows = nullptr;
  Notebook* notebook = nullptr;
  Gateways* gateways = nullptr;
  ControlLink* control = nullptr;
  const HostConfiguration* host = nullptr;
  StartGate* starts = nullptr;
};

struct CommandResult {
  proto::CommandOutcome outcome = proto::CommandOutcome::kDone;
  proto::Ending ending;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
};
using CommandCallback = std::function<void(const CommandResult&)>;

// A reading of a manifest, as it lies in the keeper's store.
struct KeptSpec {
  std::uint32_t reading = 0;
  std::vector<Kept> entries;
};

// What an earlier supervisor has left of an app.
struct LeftApp {
  AppNote note;
  NoteRow<AppNote> row;
  AppSpec spec;
  KeptSpec kept_spec;
  std::optional<AppSpec> next_spec;
  KeptSpec kept_next_spec;
  std::vector<LeftSandbox> sandboxes;
  struct LogPipe {
    proto::KeptRecord record;
    UniqueFd pipe;
  };
  std::vector<LogPipe> log_pipes;
};

// Of one app in a gateway that was taken over: its workers there, by generation and number.
using WorkersInGateway = std::set<std::pair<std::uint32_t, std::uint32_t>>;

class App final : public Mortal, public SandboxListener, public StartClient {
 public:
  // REQUIRES: `tenant` outlives the app.
  static Result<std::unique_ptr<App>> create(const AppSurroundings& around, const TenantEntry& tenant,
                                             AppSpec spec);
  ~App() override;

  // What gateways and control know it by: one app, or each of a share, in the order of AppSpec::fronts().
  struct Identity {
    std::string name;
    std::uint32_t number = 0;
    std::uint32_t row = 0;  // in the shared table
  };
  [[nodiscard]] const std::vector<Identity>& identities() const { return identities_; }
  [[nodiscard]] bool is_known_as(std::string_view name) const;

  // --- taken over from an earlier supervisor, in this order
  static std::unique_ptr<App> adopt(const AppSurroundings& around, const TenantEntry& tenant, LeftApp left);
  // A command that is under way goes on for `on_done`.
  void attach(CommandCallback on_done) { command_ = std::move(on_done); }
  void carry_on();
  // The gateway has said what it has.
  void reintroduce_to(Gateway& gateway, const std::map<std::uint32_t, WorkersInGateway>& said);
  [[nodiscard]] std::vector<std::uint32_t> generations() const;
  [[nodiscard]] bool was_leaving() const { return left_leaving_; }
  // All gateways have.
  void on_gateways_settled() { promote_next(); }

  // --- commands, for a supervisor that takes over
  // The next command is this one.
  void expect(const CommandId& command);
  [[nodiscard]] const CommandId& last_command() const { return last_command_; }
  // Nothing while it is under way.
  [[nodiscard]] const std::optional<CommandResult>& last_result() const { return last_result_; }

  // Starts it unless an operator stopped it.
  void begin();
  // Each calls back once, when the outcome is known; one command at a time, but stop overtakes the others.
  void start(AppSpec spec, CommandCallback on_done);
  void restart(AppSpec spec, CommandCallback on_done);
  // What serves is ended first.
  void restart_hard(AppSpec spec, CommandCallback on_done);
  void stop(CommandCallback on_done);
  // Of all its workers, into its log; they go on.  Possible beside any command.
  CommandResult write_stacks();
  // For the end of everything: closes all generations; on_quiet is called when nothing of it is left.
  void shut_down(std::function<void()> on_quiet);
  void kill();
  // Several times a second: looks after what only shows in counters.
  void on_pulse();

  // --- its manifest or its tenant has changed
  // Brings new settings into force, with at least what `least` says, and returns what it took.
  SpecChange change(AppSpec spec, SpecChange least);
  // Gives up routes that are not under these domains, at once.
  void keep_routes(const std::vector<Domain>& domains);
  // It or its tenant may be suspended now, or not any more: what ran before does so again then (app_holds.cc).
  void apply_suspension();
  // It is in no manifest any more: no route from now on, what runs may finish, then on_quiet.
  void leave(std::function<void()> on_quiet);
  [[nodiscard]] bool leaving() const { return leaving_; }
  // The gateways are being told to use the next generation: nothing may change until they are.
  [[nodiscard]] bool switching() const { return switching_; }

  // A fresh gateway learns the app, its condition and its workers.
  void introduce_to(Gateway& gateway);
  // A fresh control process learns the log pipes.
  void offer_log_pipes();
  void on_worker_fault(const proto::WorkerFault& fault);
  // From a gateway: requests wait, and there is no worker.
  void on_wanted();
  // From a gateway.
  void on_probed(const proto::Probed& answer);
  // From the keeper; false when the child is no steward of this app.
  bool on_child_exit(std::uint64_t child, int code, int status);

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] const TenantEntry& tenant() const { return tenant_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const AppSpec& spec() const { return spec_; }
  [[nodiscard]] proto::AppState state() const;
  [[nodiscard]] bool busy() const { return command_ != nullptr; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] bool suspended() const { return suspended_; }
  [[nodiscard]] bool stopping() const { return stopped_ && busy(); }
  [[nodiscard]] proto::AppInfo describe(const Identity& identity) const;
  [[nodiscard]] std::vector<proto::WorkerInfo> describe_workers(const Identity& identity) const;
  // From the kernel, now; nothing when the app has never been started.
  [[nodiscard]] std::optional<proto::Usage> usage() const;
  // What the gateways have counted for it; false: nothing yet.
  [[nodiscard]] bool sum_traffic(const Identity& identity, proto::AppTraffic& traffic) const {
    return around_.rows->sum_counts(identity.row, traffic);
  }
  // What was counted where it happened, over all its generations.
  [[nodiscard]] LeafCounters leaf_counters() const;

  // Ends what does not run in its cgroups any more; the next start makes them anew (confinement.cc).
  void check_confinement();

  // --- its plan has changed, in this order; no process is touched
  void lift_quota() const;
  std::optional<LimitOutcome> renew_limits();
  void renew_gateways();

 private:
  struct LogPipe {
    std::uint32_t generation = 0;
    std::uint32_t worker = 0;
    std::size_t app = 0;  // of the share
    UniqueFd pipe;
    Kept kept;
  };

  App(const AppSurroundings& around, const TenantEntry& tenant, AppSpec spec, std::vector<Identity> identities);
  [[nodiscard]] std::vector<AppStore::Key> store_keys() const;
  [[nodiscard]] bool is_suspended_by_tenant() const;

  // --- suspended and touched
  void suspend();
  void restart_if_touched();
  // Somebody says that nothing of it may run.
  [[nodiscard]] bool held() const { return stopped_ || suspended_; }

  // --- a generation
  void start_generation(StartKind kind);
  Result<std::unique_ptr<Sandbox>> build_sandbox();
  [[nodiscard]] SandboxOrder order_of(std::uint32_t generation, const AppSpec& spec) const;
  void adopt_note(const AppNote& note);
  void adopt_sandbox(LeftSandbox left);
  void prove_taken_over(Sandbox& sandbox);
  [[nodiscard]] proto::Cause why_closing() const;
  // Writes down everything that a supervisor after this one could learn from nobody else.
  void remember();
  [[nodiscard]] Result<KeptSpec> keep(const AppSpec& spec);
  void set_spec(AppSpec spec, KeptSpec kept);
  void top_up();
  void prepare(Sandbox& sandbox);
  void on_spawn_refused(Sandbox& sandbox);
  void promote_next();
  void retire(std::unique_ptr<Sandbox> sandbox, proto::Cause cause);
  void on_start_failed(proto::Ending ending, std::uint32_t worker);
  void try_again_later();
  void on_retry();
  // A worker that is leaving against our will is replaced, in its time.
  void replace_lost();
  // How many workers next_ needs before it can replace what serves.
  [[nodiscard]] std::size_t next_workers() const;

  // --- the host's starts
  enum class AwaitedStart : std::uint8_t { kNone, kGeneration, kWorkers };
  // False: it goes on in on_start_admitted().
  [[nodiscard]] bool may_start(AwaitedStart what, StartKind kind);
  void await_no_start();
  void on_start_admitted() override;

  // --- scaling
  void scale();
  void fall_asleep();
  [[nodiscard]] AppLook look_at_workers();
  [[nodiscard]] ScalingRules scaling_rules() const;

  // --- health
  void prove(Sandbox& sandbox, Worker& worker);
  void check_health();
  void check_worker(Sandbox& sandbox, Worker& worker, Instant now);
  void send_probe(Sandbox& sandbox, Worker& worker);
  // Of a share at most one app has a health check, and it speaks for all.
  [[nodiscard]] static std::size_t checked_app(const AppSpec& spec);
  [[nodiscard]] static bool has_health_check(const AppSpec& spec) {
    return !spec.fronts()[checked_app(spec)]->settings.health_path.empty();
  }
  void on_unhealthy(Sandbox& sandbox, Worker& worker, const proto::Probed& answer);
  void finish_command(const CommandResult& result);

  // --- SandboxListener
  void on_sandbox_standing(Sandbox& sandbox) override;
  void on_worker_ready(Sandbox& sandbox, Worker& worker) override;
  void on_sandbox_prepared(Sandbox& sandbox) override;
  void on_worker_unborn(Sandbox& sandbox, std::uint32_t number) override;
  void on_template_gone(Sandbox& sandbox, std::uint32_t number, proto::Ending ending) override;
  void on_worker_leaving(Sandbox& sandbox, Worker& worker) override;
  void on_worker_lost(Sandbox& sandbox, Worker& worker) override;
  void on_worker_gone(Sandbox& sandbox, std::uint32_t worker, proto::Ending ending) override;
  void on_sandbox_failed(Sandbox& sandbox, proto::Ending ending) override;
  void on_sandbox_closed(Sandbox& sandbox) override;
  void on_log_pipe(Sandbox& sandbox, std::uint32_t worker, std::size_t app, UniqueFd pipe, Kept kept) override;
  void on_sandbox_resynced(Sandbox& sandbox) override;
  void on_sandbox_touched(Sandbox& sandbox) override;

  // --- telling
  void configure(Gateway& gateway);
  void configure(Gateway& gateway, const Identity& identity, const AppFront& front);
  void configure_all();
  void introduce_worker(Gateway& gateway, Sandbox& sandbox, Worker& worker);
  void introduce_worker(Gateway& gateway, Sandbox& sandbox, Worker& worker, std::size_t app);
  // Of one app, and of all that the worker runs.
  [[nodiscard]] std::uint32_t places_of(const Worker& worker, std::size_t app) const;
  [[nodiscard]] std::uint32_t places_of(const Worker& worker) const;
  void tell_use(Gateway& gateway, std::uint32_t generation) const;
  [[nodiscard]] std::uint32_t queued() const;
  void offer_log_pipe(const LogPipe& pipe);
  void tell_condition();
  void tell_condition_to(Gateway& gateway) const;
  [[nodiscard]] proto::AppConditionChange condition(std::uint32_t number) const;
  void notice(proto::NoticeKind kind, std::uint32_t generation, std::uint32_t number = 0);
  [[nodiscard]] std::uint32_t full_pids_limit() const;
  [[nodiscard]] bool reached_own_limit(const Cgroup& group);
  void add_limit_facts(proto::Ending& ending);
  void note_death(std::uint32_t generation, std::uint32_t worker, proto::Ending ending);
  void forget_log_pipes(std::uint32_t generation, std::uint32_t worker);
  // What next_ is started with, or what serves.
  [[nodiscard]] const AppSpec& newest_spec() const { return next_spec_ ? *next_spec_ : spec_; }
  void adopt_spec(AppSpec spec);
  void change_live(AppSpec spec);
  void change_generation(AppSpec spec);
  void keep_newest();
  void keep_in_place_of(KeptSpec& kept, const AppSpec& spec);
  void give_up_next(proto::Cause cause);
  void drop_next(proto::Cause cause);
  [[nodiscard]] std::vector<Sandbox*> sandboxes() const;
  void check_quiet();

  AppSurroundings around_;
  const TenantEntry& tenant_;
  AppSpec spec_;                      // of the serving generation, or of the first one
  std::optional<AppSpec> next_spec_;  // of next_, while another generation serves
  std::optional<AppSpec> former_spec_;  // of serving_, while the gateways are told to use next_ and its settings
  KeptSpec kept_spec_, kept_next_spec_;
  std::uint32_t last_reading_ = 0;
  std::uint32_t starting_ = 0;  // the generation whose sandbox is being built
  // --- taken over
  bool start_again_ = false;   // a start was under way that could not be taken over
  bool left_leaving_ = false;  // it was leaving
  std::uint32_t serving_generation_left_ = 0, next_generation_left_ = 0;
  NoteRow<AppNote> note_;
  CommandId last_command_;
  std::optional<CommandResult> last_result_;
  std::vector<Identity> identities_;
  std::string name_;  // of the first, as the number
  std::uint32_t number_;
  std::uint32_t revision_ = 0;
  std::uint32_t last_generation_ = 0;
  bool stopped_ = false;    // by an operator or its tenant
  bool suspended_ = false;  // it or its tenant, as far as it was told
  TouchSchedule touches_;
  bool shutting_down_ = false;
  bool leaving_ = false;
  bool restart_failed_ = false;  // since the serving generation was switched to
  std::uint64_t restarts_ = 0;
  std::unique_ptr<Sandbox> serving_;
  std::unique_ptr<Sandbox> next_;
  bool switching_ = false;  // next_ is ready and the gateways are being told
  std::size_t switches_left_ = 0;
  std::vector<std::unique_ptr<Sandbox>> retired_;
  LeafCounters removed_;               // of the generations that are no more
  std::uint64_t seen_limit_hits_ = 0;  // of its own memory limit, at the last death
  std::vector<LogPipe> log_pipes_;  // copies, for a fresh control process
  Scaling scaling_;  // of serving_
  AwaitedStart awaited_start_ = AwaitedStart::kNone;
  bool start_admitted_ = false;
  std::uint32_t pulses_ = 0;
  std::uint32_t last_probe_ = 0;
  Backoff backoff_;
  Instant retry_at_{};
  Timer retry_;
  CommandCallback command_;
  std::function<void()> on_quiet_;
  // The last death that was no order of ours.
  proto::Ending last_exit_;
  std::int64_t last_exit_ms_ = 0;
  std::uint32_t last_exit_generation_ = 0, last_exit_worker_ = 0;
};

}  // namespace rowhouse::supervisor
