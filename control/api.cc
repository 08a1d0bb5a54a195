#include "control/api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"
#include "control/json_strict.h"

namespace rowhouse::control {
namespace {

constexpr const char* kFeatures[] = {"status", "start",       "stop",       "restart",
                                     "logs",   "logs.follow", "logs.access", "logs.search", "reload", "reload.tenant",
                                      "restart.hard", "stacks",
                                     "explain", "errors", "events", "events.follow", "metrics", "usage", "hooks",
                                     "tenants", "tenants.write", "manifests", "operations", "audit"};

std::optional<proto::CommandKind> command_kind(std::string_view verb) {
  if (verb == "start") return proto::CommandKind::kStart;
  if (verb == "stop") return proto::CommandKind::kStop;
  if (verb == "restart") return proto::CommandKind::kRestart;
  if (verb == "stacks") return proto::CommandKind::kStacks;
  return std::nullopt;
}

}  // namespace

Api::Api(const Parts& parts) : parts_(parts), budgets_(parts.clock), operations_(parts.clock, parts.seed) {
  operations_.set_on_end(
      [this](ConnectionId waiting, const Operation& operation) { on_operation_end(waiting, operation); });
}

void Api::on_api_request(ConnectionId id, uid_t uid, const HttpRequest& request) {
  if (parts_.registry.role_of(uid) == Role::kNone) {
    Answer answer =
        error_answer({403, "forbidden",
                      "You have no role here: only administrators and tenants may use this socket.", "", ""});
    answer.connection = ConnectionUse::kClose;
    send(id, answer);
    return;
  }
  if (!check_requests(id, uid)) return;
  auto target = parse_target(request.target);
  if (!target.ok()) {
    fail(id, {400, "bad_request", std::string(target.error().operation) + ".", "", ""});
    return;
  }
  Call call{id, uid, request, std::move(target).value()};
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads) parts_.chronicle.audit().begin(id, uid, request.method, call.target);
  if (reads || !call.target.parameters.contains("wait")) return route(call);
  const std::string wait = call.target.parameter("wait");
  call.target.parameters.erase("wait");
  if (wait == "1") return route(call);
  if (wait == "0") return start_operation(call);
  fail(id, {400, "bad_request", "wait must be 0 or 1.", "", ""});
}

void Api::on_api_client_gone(ConnectionId id) {
  status_work_.erase(id);
  operations_.forget_connection(id);
  parts_.followers.remove(id);
  parts_.event_followers.remove(id);
  parts_.inquiries.forget_client(id);
}

void Api::route(const Call& call) {
  const std::vector<std::string>& path = call.target.segments;
  const bool known = path.size() >= 2 && path[0] == "v1";
  if (known && path.size() == 2 && path[1] == "info") {
    answer_info(call);
  } else if (known && path.size() == 2 && path[1] == "status") {
    start_status(call);
  } else if (known && path.size() == 2 && path[1] == "reload") {
    start_reload(call);
  } else if (known && path[1] == "tenants") {
    route_tenants(call);
  } else if (known && path.size() == 2 && path[1] == "audit") {
    answer_audit(call);
  } else if (known && path.size() == 3 && path[1] == "ops") {
    answer_operation(call, path[2]);
  } else if (known && path.size() == 2 && path[1] == "events") {
    start_events(call);
  } else if (known && path.size() == 3 && path[1] == "errors") {
    answer_error(call, path[2]);
  } else if (known && path.size() == 2 && path[1] == "upgrade") {
    start_upgrade(call);
  } else if (known && path.size() == 2 && path[1] == "metrics") {
    answer_metrics(call);
  } else if (known && path.size() <= 3 && path[1] == "hooks") {
    route_hooks(call);
  } else if (known && path.size() == 2 && path[1] == "usage") {
    answer_usage(call);
  } else if (known && path.size() == 5 && path[1] == "apps") {
    route_app(call);
  } else {
    fail_not_found(call.id, "This path");
  }
}

void Api::route_app(const Call& call) {
  const std::vector<std::string>& path = call.target.segments;
  const auto kind = command_kind(path[4]);
  const bool explain = path[4] == "explain";
  if (!kind && !explain && path[4] != "logs") {
    fail_not_found(call.id, "This path");
    return;
  }
  const AppName app{path[2], path[3]};
  const bool visible =
      is_name(app.tenant) && is_name(app.app) && parts_.registry.may_see(call.uid, app.tenant);
  if (!check_method(call, kind ? kPostMethod : kReadMethods)) return;
  if (!visible) {
    fail_not_found(call.id, app.text());
  } else if (kind) {
    start_command(call, app, *kind);
  } else if (explain) {
    start_explain(call, app);
  } else {
    start_logs(call, app);
  }
}

void Api::answer_info(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {}) || !check_body(call)) return;
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  const nlohmann::ordered_json info{{"api", 1},
                                    {"version", ROWHOUSE_VERSION},
                                    {"role", admin ? "admin" : "tenant"},
                                    {"features", kFeatures}};
  Answer answer;
  answer.body = info.dump() + "\n";
  send(call.id, answer);
}

void Api::find_app(ConnectionId id, const AppName& app, std::function<void(std::uint32_t)> found) {
  parts_.inquiries.query(
      id, app.tenant, app.app, [this, id, app, found = std::move(found)](const auto& found_status) {
        if (!found_status) {
          fail_unavailable(id);
          return;
        }
        const std::vector<AppStatus>& apps = found_status->apps;
        const auto is_wanted = [&app](const AppStatus& candidate) {
          return candidate.info.tenant.view() == app.tenant && candidate.info.name.view() == app.app;
        };
        const auto match = std::find_if(apps.begin(), apps.end(), is_wanted);
        if (match == apps.end()) {
          fail_not_found(id, app.text());
        } else {
          found(match->info.app);
        }
      });
}

bool Api::check_method(const Call& call, std::string_view allowed) {
  for (std::size_t at = 0; at < allowed.size();) {
    const std::size_t end = std::min(allowed.find(", ", at), allowed.size());
    if (allowed.substr(at, end - at) == call.request.method) return true;
    at = end + 2;
  }
  Answer answer =
      error_answer({405, "method_not_allowed", "Allowed here: " + std::string(allowed) + ".", "", ""});
  answer.allow = allowed;
  send(call.id, answer);
  return false;
}

bool Api::check_parameters(const Call& call, std::initializer_list<std::string_view> names) {
  for (const auto& [name, value] : call.target.parameters) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    fail(call.id, {400, "bad_request", "Unknown query parameter \"" + terminal_safe(name) + "\".", "", ""});
    return false;
  }
  return true;
}

// No call of this version has fields in its body: it is empty or an empty object.
bool Api::check_body(const Call& call) {
  const std::string& body = call.request.body;
  if (body.empty()) return true;
  const ParsedJson parsed = parse_json(body);
  const auto problem = parsed.problem ? parsed.problem : check_fields(parsed.value, {});
  if (!problem) return true;
  fail(call.id, {400, "bad_request", "The body is refused: " + terminal_safe(problem->message) + ".", "",
                 terminal_safe(problem->pointer)});
  return false;
}

bool Api::check_requests(ConnectionId id, uid_t uid) {
  if (parts_.registry.role_of(uid) == Role::kAdmin || budgets_.try_take(uid, 1)) return true;
  fail(id, {429, "too_many_requests", "You ask too often: 20 requests in a second, 100 at once.", "", ""});
  return false;
}

// Asked when a large answer is ready, not when it is asked for: many may be under way at once.
bool Api::check_unsent(ConnectionId id, uid_t uid) {
  if (parts_.server.unsent_bytes_of(uid) <= ApiServer::kMaxUnsentBytesPerUid) return true;
  fail(id, {503, "busy", "You have too many answers open that you do not read.", "", ""});
  return false;
}

void Api::fail_not_found(ConnectionId id, std::string_view what) {
  fail(id, {404, "not_found", terminal_safe(what) + " does not exist.", "", ""});
}

void Api::fail_unavailable(ConnectionId id) {
  fail(id, {503, "unavailable", "The supervisor does not answer.", "", ""});
}

}  // namespace rowhouse::control
