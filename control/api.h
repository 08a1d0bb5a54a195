// What the API offers.  Every request is decided in this order: role, grammar, route, method, parameters,
// visibility, existence.
//
// SECURITY: a caller without a role gets 403 for everything; a tenant gets 404 for what is not its own, with
// the same words as for what does not exist (test_control_roles.py).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/api_server.h"
#include "control/caller_budget.h"
#include "control/chronicle.h"
#include "control/event_followers.h"
#include "control/followers.h"
#include "control/hooks.h"
#include "control/inquiries.h"
#include "control/json_strict.h"
#include "control/log_book.h"
#include "control/operations.h"
#include "control/registry.h"
#include "control/target.h"
#include "control/tenant_inquiries.h"
#include "control/usage_json.h"
#include "control/usage_ledger.h"

namespace rowhouse::control {

class Api final : public RequestHandler {
 public:
  static constexpr std::size_t kDefaultLines = 100;
  static constexpr std::string_view kReadMethods = "GET, HEAD";
  static constexpr std::string_view kPostMethod = "POST";

  // What an Api works with; all must outlive it.
  struct Parts {
    Registry& registry;
    LogBook& book;
    Inquiries& inquiries;
    ApiServer& server;
    Followers& followers;
    Chronicle& chronicle;
    EventFollowers& event_followers;
    UsageLedger& ledger;
    Hooks& hooks;
    TenantInquiries& tenants;
    const Clock& clock;
    std::uint64_t seed;  // of the operations' ids
  };
  explicit Api(const Parts& parts);

  void on_api_request(ConnectionId id, uid_t uid, const HttpRequest& request) override;
  void on_api_client_gone(ConnectionId id) override;

 private:
  // A request on its way through the checks.
  struct Call {
    ConnectionId id;
    uid_t uid;
    const HttpRequest& request;
    Target target;
  };
  // A status call that asks for one tenant after the other.
  struct StatusWork {
    uid_t uid = 0;
    std::string tenant;  // as asked; empty: all that are visible
    std::string app;
    std::vector<std::string> waiting;  // tenants to be asked for; "" means all
    StatusFound found;
  };
  struct LogRequest {
    LogStream stream = LogStream::kStderr;
    std::size_t lines = kDefaultLines;
    LogFilter filter;
    enum class End { kStop, kFollow } end = End::kStop;
  };

  struct EventRequest {
    EventScope scope;
    std::uint64_t since = 0;
    std::size_t limit = 0;
    std::optional<std::size_t> last;  // the newest ones instead of those after `since`
    bool follow = false;
  };

  struct UsageRequest {
    UsagePeriod period;
    UsageStep step = UsageStep::kTotal;
    bool csv = false;
    std::string tenant;  // empty: all that are visible
  };

  void route(const Call& call);
  void route_app(const Call& call);
  void answer_info(const Call& call);
  void start_status(const Call& call);
  void ask_next_tenant(ConnectionId id);
  void on_tenant_status(ConnectionId id, std::optional<StatusFound> found);
  void finish_status(ConnectionId id);
  void start_reload(const Call& call);
  void start_reload_tenant(const Call& call);
  void on_reload_done(ConnectionId id, const ReloadFound& found);
  void start_upgrade(const Call& call);
  void on_upgrade_done(ConnectionId id, const proto::UpgradeDone& done);
  // --- tenants and manifests (api_tenants.cc)
  void route_tenants(const Call& call);
  void route_tenant(const Call& call, const std::string& tenant);
  void list_tenants(const Call& call);
  void answer_tenants(ConnectionId id, uid_t uid, const TenantsFound& found);
  void ask_tenants(ConnectionId id, const proto::TenantQuery& query, std::function<void(const TenantsFound&)> use);
  void start_write(const Call& call, const std::string& tenant, proto::TenantWriteMode mode);
  enum class SuspensionOrder : std::uint8_t { kSuspend, kLift };
  void start_suspension(const Call& call, const std::string& tenant, SuspensionOrder order);
  void order_write(ConnectionId id, uid_t uid, TenantDraftText draft, const char* order);
  enum class Trial : std::uint8_t { kNo, kYes };
  void answer_order(ConnectionId id, const std::string& tenant, const TenantOrderFound& found, Trial trial);
  void start_removal(const Call& call, const std::string& tenant);
  void purge_tenant(const std::string& tenant);
  void start_manifest(const Call& call, const std::string& tenant);
  void fail_too_many_orders(ConnectionId id);
  void fail_body(ConnectionId id, const JsonProblem& problem);
  [[nodiscard]] bool check_tenant_admin(const Call& call, const std::string& tenant);
  // Each answers the request and returns nothing when what it takes is not right.
  [[nodiscard]] std::optional<bool> take_flag(const Call& call, const std::string& name);
  [[nodiscard]] std::optional<nlohmann::json> take_json(const Call& call);
  // --- operations (api_operations.cc)
  void start_operation(const Call& call);
  void answer_audit(const Call& call);
  void answer_operation(const Call& call, const std::string& op);
  void on_operation_end(ConnectionId waiting, const Operation& operation);
  void start_command(const Call& call, const AppName& app, proto::CommandKind kind);
  void on_command_app(ConnectionId id, const AppName& app, proto::CommandKind kind, std::uint32_t number);
  void on_command_done(ConnectionId id, const AppName& app, proto::CommandKind kind, std::uint32_t number,
                       const proto::CommandDone& done);
  void fail_suspended(ConnectionId id, const AppName& app);
  std::string failure_detail(const AppName& app, std::uint32_t number, const proto::CommandDone& done);
  void start_explain(const Call& call, const AppName& app);
  void answer_explain(ConnectionId id, uid_t uid, const AppName& app, const StatusFound& found, std::size_t deaths);
  void answer_error(const Call& call, const std::string& error);
  void start_events(const Call& call);
  [[nodiscard]] std::optional<EventRequest> parse_event_request(const Call& call);
  [[nodiscard]] EventLog::Page read_events(const EventRequest& wanted, std::size_t limit) const;
  void answer_events(const Call& call, const EventRequest& wanted);
  void follow_events(const Call& call, const EventRequest& wanted);
  void answer_metrics(const Call& call);
  [[nodiscard]] std::optional<UsageRequest> parse_usage_request(const Call& call);
  void answer_usage(const Call& call);
  static void add_idle_tenants(UsageReport& report, const std::vector<std::string>& tenants);
  void route_hooks(const Call& call);
  void set_hook(const Call& call, const std::string& name);
  void fail_hook_write(ConnectionId id);
  void answer_hooks(ConnectionId id);
  void start_logs(const Call& call, const AppName& app);
  void answer_logs(ConnectionId id, uid_t uid, const AppName& app, const LogRequest& wanted);
  void follow_logs(ConnectionId id, uid_t uid, const AppName& app, const LogRequest& wanted,
                   std::string_view lines);
  // Looks the app up at the supervisor and calls `found` with its number, or answers 404 or 503.
  void find_app(ConnectionId id, const AppName& app, std::function<void(std::uint32_t)> found);

  // Each answers the request and returns false when the check fails.
  // `allowed` is what the Allow field says: "GET, HEAD".
  [[nodiscard]] bool check_method(const Call& call, std::string_view allowed);
  [[nodiscard]] bool check_parameters(const Call& call, std::initializer_list<std::string_view> names);
  [[nodiscard]] bool check_body(const Call& call);
  [[nodiscard]] bool check_requests(ConnectionId id, uid_t uid);
  [[nodiscard]] bool check_unsent(ConnectionId id, uid_t uid);
  [[nodiscard]] std::optional<LogRequest> parse_log_request(const Call& call);
  const char* parse_log_filter(const Call& call, LogFilter& filter) const;

  // To a client, or to the operation whose number stands in a client's place.
  void send(ConnectionId id, const Answer& answer);
  void send_json(ConnectionId id, int status, const nlohmann::ordered_json& body);
  void fail(ConnectionId id, const ErrorText& error) { send(id, error_answer(error)); }
  void fail_not_found(ConnectionId id, std::string_view what);
  void fail_unavailable(ConnectionId id);

  Parts parts_;
  CallerBudgets budgets_;
  Operations operations_;
  std::map<ConnectionId, StatusWork> status_work_;
};

}  // namespace rowhouse::control
