// Questions to the supervisor that wait for their answers: queries, collected over their pages, and commands.
// Pure bookkeeping: what is to be sent goes out through a callback, what comes in is handed over by the link.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proto/live_messages.h"
#include "proto/reload_messages.h"
#include "proto/upgrade_messages.h"
#include "proto/usage_messages.h"

namespace rowhouse::control {

struct AppStatus {
  proto::AppInfo info;
  std::vector<proto::WorkerInfo> workers, templates;
  std::optional<proto::Usage> usage;  // nothing: the app has never run
  std::optional<proto::AppTraffic> traffic;  // nothing: nobody has asked it anything
};

struct StatusFound {
  std::vector<AppStatus> apps;
  std::map<std::string, proto::TenantUsage> tenants;  // of those whose apps have run
  std::uint32_t next_after = 0;                        // of a single page: where the next one begins; 0: none
};

struct ReloadFound {
  proto::ReloadDone done;
  std::vector<proto::ReloadChange> changes;
  std::vector<proto::TenantChange> tenants;
  std::vector<std::string> sentences;  // why the file was refused
};

// Nothing: the supervisor did not answer in time.
using QueryAnswer = std::function<void(std::optional<StatusFound>)>;
using ReloadAnswer = std::function<void(std::optional<ReloadFound>)>;
using UpgradeAnswer = std::function<void(std::optional<proto::UpgradeDone>)>;
using CommandAnswer = std::function<void(std::optional<proto::CommandDone>)>;

class InquirySender {
 public:
  virtual ~InquirySender() = default;
  virtual void send_query(const proto::Query& query) = 0;
  virtual void send_command(const proto::Command& command) = 0;
  virtual void send_reload(const proto::ReloadOrder& order) = 0;
  virtual void send_reload_tenant(const proto::ReloadTenantOrder& order) = 0;
  virtual void send_upgrade(const proto::UpgradeOrder& order) = 0;
};

class Inquiries {
 public:
  // Queries that the supervisor has before it at one time; the others wait here.
  static constexpr std::size_t kMaxRunningQueries = 4;
  static constexpr Duration kQueryDeadline = std::chrono::seconds(10);
  // Longer than any startup timeout with its graceful stop.
  static constexpr Duration kCommandDeadline = std::chrono::minutes(30);

  static constexpr Duration kReloadDeadline = std::chrono::minutes(1);
  // Every gateway is replaced in its turn, and one on trial has its time.
  static constexpr Duration kUpgradeDeadline = std::chrono::minutes(10);

  Inquiries(InquirySender& sender, const Clock& clock) : sender_(sender), clock_(clock) {}

  // All apps, those of `tenant`, or one, for a client that has at most one question open at a time.
  void query(std::uint64_t client, std::string_view tenant, std::string_view app, QueryAnswer answer);
  // A few of all apps, from `after_app` on.
  void query_page(std::uint64_t client, std::uint32_t after_app, QueryAnswer answer);
  // The client has gone: what it still waits to ask is never asked, so that clients that come and go cannot
  // make the queue grow.
  void forget_client(std::uint64_t client);
  // Runs to its end, whoever waits for it; the supervisor has at most one of each app.
  void command(std::uint32_t app, proto::CommandKind kind, CommandAnswer answer);
  // The supervisor has at most one and answers the others with busy.
  void reload(ReloadAnswer answer);
  // One tenant's manifest, and its file too where `with_file` says so.
  enum class TenantScope : std::uint8_t { kManifest, kFileAndManifest };
  void reload_tenant(std::string_view tenant, TenantScope scope, ReloadAnswer answer);

  // The supervisor is replaced while it waits.
  void upgrade(UpgradeAnswer answer);

  // Answers; those to questions that are no longer open are ignored.
  void on_app_info(const proto::AppInfo& info);
  void on_worker_info(const proto::WorkerInfo& info);
  void on_query_end(const proto::QueryEnd& end);
  void on_command_done(const proto::CommandDone& done);
  void on_app_usage(const proto::AppUsage& usage);
  void on_app_traffic(const proto::AppTraffic& traffic);
  void on_tenant_usage(const proto::TenantUsage& usage);
  void on_reload_change(const proto::ReloadChange& change);
  void on_tenant_change(const proto::TenantChange& change);
  void on_reload_done(const proto::ReloadDone& done, std::vector<std::string> sentences);
  void on_upgrade_done(const proto::UpgradeDone& done);
  // Asks again, under the same numbers, what a supervisor that has died since has not answered.
  void repeat();
  // Gives up what is past its deadline.
  void sweep();

 private:
  enum class Pages : std::uint8_t { kAll, kOne };
  struct RunningQuery {
    std::uint64_t client = 0;
    proto::Query query;
    Pages pages = Pages::kAll;
    StatusFound found;
    QueryAnswer answer;
    Instant deadline;
  };
  struct RunningCommand {
    proto::Command command;
    CommandAnswer answer;
    Instant deadline;
  };
  struct RunningReload {
    std::optional<proto::ReloadTenantOrder> tenant;  // of one tenant: what was asked
    ReloadFound found;
    ReloadAnswer answer;
    Instant deadline;
  };
  struct RunningUpgrade {
    UpgradeAnswer answer;
    Instant deadline;
  };
  void start_waiting();

  InquirySender& sender_;
  const Clock& clock_;
  std::uint32_t next_request_ = 1;
  std::map<std::uint32_t, RunningQuery> queries_;
  std::deque<RunningQuery> waiting_;
  std::map<std::uint32_t, RunningCommand> commands_;
  std::map<std::uint32_t, RunningReload> reloads_;
  std::map<std::uint32_t, RunningUpgrade> upgrades_;
};

}  // namespace rowhouse::control
