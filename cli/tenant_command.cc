#include "cli/tenant_command.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/changes_text.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;
using Method = ApiClient::Method;

constexpr std::size_t kMaxManifestBytes = 64 * 1024;

std::string suspension_text(const json& tenant) {
  if (!tenant.is_object() || !tenant.contains("suspended") || !tenant["suspended"].is_object()) return "";
  const std::string reason = text_at(tenant["suspended"], "reason");
  return reason.empty() ? "suspended" : "suspended: " + reason;
}

std::string state_text(const json& tenant) {
  const bool leaving = tenant.is_object() && tenant.value("leaving", false);
  return leaving ? "leaving" : suspension_text(tenant);
}

// Page after page.  Nothing after a failure, which has been told.
std::optional<json> fetch_tenants(const Invocation& invocation, ExitCode& code) {
  json all = json::array();
  std::string after;
  do {
    const Reply reply = ApiClient(invocation.socket).get("/v1/tenants?limit=256" + (after.empty() ? "" : "&after=" + after));
    code = exit_code_of(reply);
    if (code != ExitCode::kDone) {
      report_failure(reply, invocation.output);
      return std::nullopt;
    }
    const json page = json::parse(reply.body, nullptr, false);
    if (!page.is_object() || !page.contains("tenants") || !page["tenants"].is_array()) {
      print_error("the daemon's answer is not valid JSON");
      code = ExitCode::kFailed;
      return std::nullopt;
    }
    for (const json& tenant : page["tenants"]) all.push_back(tenant);
    after = text_at(page, "next");
  } while (!after.empty());
  return all;
}

ExitCode list_tenants(const Invocation& invocation) {
  ExitCode code = ExitCode::kDone;
  const auto tenants = fetch_tenants(invocation, code);
  if (!tenants) return code;
  if (invocation.output == Output::kJson) {
    print(json{{"tenants", *tenants}}.dump() + "\n");
    return code;
  }
  if (tenants->empty()) {
    print("No tenants.\n");
    return code;
  }
  Table table({{"TENANT"}, {"PLAN"}, {"UID", Align::kRight}, {"DOMAINS", Align::kRight}, {"HOME"}, {"STATE"}});
  for (const json& tenant : *tenants) {
    table.add_row({{text_at(tenant, "tenant")},
                   {text_at(tenant, "plan")},
                   {std::to_string(number_at(tenant, "uid"))},
                   {std::to_string(number_at(tenant, "domains_total"))},
                   {text_at(tenant, "home")},
                   {state_text(tenant), Colour::kRed}});
  }
  print(table.render(look_at_terminal()));
  return code;
}

ExitCode show_tenant(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).get("/v1/tenants/" + invocation.tenant.name);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  const json tenant = answer.is_object() && answer.contains("tenant") ? answer["tenant"] : json::object();
  for (const char* key : {"tenant", "user", "home", "plan", "manifest", "network"}) {
    print(fmt::format("{:<10}{}\n", key, text_at(tenant, key)));
  }
  print(fmt::format("{:<10}{}:{}\n", "ids", number_at(tenant, "uid"), number_at(tenant, "gid")));
  if (const std::string state = state_text(tenant); !state.empty()) print(fmt::format("{:<10}{}\n", "state", state));
  if (!tenant.contains("domains") || !tenant["domains"].is_array()) return ExitCode::kDone;
  for (const json& domain : tenant["domains"]) {
    if (domain.is_string()) print(fmt::format("{:<10}{}\n", "domain", terminal_safe(domain.get<std::string>())));
  }
  return ExitCode::kDone;
}

json body_of(const TenantOptions& options) {
  json body = json::object();
  const auto add = [&body](const char* key, const std::string& value) {
    if (!value.empty()) body[key] = value;
  };
  add("user", options.user);
  add("home", options.home);
  add("plan", options.plan);
  add("manifest", options.manifest);
  add("reason", options.reason);
  if (options.uid) body["uid"] = *options.uid;
  if (options.gid) body["gid"] = *options.gid;
  if (!options.domains.empty()) body["domains"] = options.domains;
  if (options.no_domains) body["domains"] = json::array();
  return body;
}

struct OrderCall {
  Method method = Method::kPost;
  std::string path;
  const char* done = "";
};

OrderCall call_of(const TenantOptions& options) {
  const std::string path = "/v1/tenants/" + options.name;
  if (options.action == "create") return {Method::kPut, path, "is in force"};
  if (options.action == "set") return {Method::kPatch, path, "is in force"};
  if (options.action == "suspend") return {Method::kPost, path + "/suspend", "is suspended"};
  if (options.action == "unsuspend") return {Method::kPost, path + "/unsuspend", "is not suspended"};
  return {Method::kDelete, path, "is removed"};
}

std::string query_of(const Invocation& invocation) {
  std::string query;
  const auto add = [&query](const std::string& part) { query += (query.empty() ? "?" : "&") + part; };
  if (invocation.order.trial) add("dry_run=1");
  if (!invocation.order.waits) add("wait=0");
  if (invocation.tenant.purge) add("purge=1");
  return query;
}

ExitCode report_order(const Invocation& invocation, const Reply& reply, const std::string& sentence) {
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  if (reply.status == 202 && answer.is_object() && answer.contains("op")) {
    print(fmt::format("Under way: rowhouse op {} --wait\n", text_at(answer["op"], "id")));
    return ExitCode::kDone;
  }
  print(render_changes(answer));
  print(invocation.order.trial ? "Good; nothing was written.\n" : sentence + "\n");
  return ExitCode::kDone;
}

}  // namespace

ExitCode run_tenant(const Invocation& invocation) {
  const TenantOptions& options = invocation.tenant;
  if (options.action == "list") return list_tenants(invocation);
  if (options.action == "show") return show_tenant(invocation);
  const OrderCall call = call_of(options);
  const json body = body_of(options);
  const std::string text = body.empty() ? "" : body.dump(-1, ' ', true, json::error_handler_t::replace);
  const Reply reply = ApiClient(invocation.socket).order(call.method, call.path + query_of(invocation), text);
  return report_order(invocation, reply, options.name + " " + call.done + ".");
}

ExitCode run_apply(const Invocation& invocation) {
  std::ifstream file(invocation.apply_file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    print_error("cannot read " + terminal_safe(invocation.apply_file));
    return ExitCode::kFailed;
  }
  if (text.size() > kMaxManifestBytes) {
    print_error(terminal_safe(invocation.apply_file) + " is larger than 64 KiB");
    return ExitCode::kFailed;
  }
  const std::string path = "/v1/tenants/" + invocation.subject.tenant + "/manifest" + query_of(invocation);
  const Reply reply = ApiClient(invocation.socket).order(Method::kPut, path, text);
  return report_order(invocation, reply, "The manifest of " + invocation.subject.tenant + " is in force.");
}

ExitCode run_op(const Invocation& invocation) {
  const std::string path = "/v1/ops/" + invocation.op + (invocation.follows_op ? "?wait=1" : "");
  const Reply reply = ApiClient(invocation.socket).get(path);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  const json answer = json::parse(reply.body, nullptr, false);
  const json op = answer.is_object() && answer.contains("op") ? answer["op"] : json::object();
  const std::string state = text_at(op, "state");
  if (invocation.output == Output::kJson) {
    print(reply.body);
  } else {
    print(fmt::format("{} {}: {}\n", text_at(op, "method"), text_at(op, "path"), state));
    const json result = op.is_object() && op.contains("result") && op["result"].is_object() ? op["result"] : json::object();
    if (result.contains("error")) print_error(text_at(result["error"], "message"));
  }
  return state == "failed" ? ExitCode::kFailed : ExitCode::kDone;
}

ExitCode run_audit(const Invocation& invocation) {
  std::string path = fmt::format("/v1/audit?limit={}&since={}", invocation.events.count, invocation.events.since.value_or(0));
  if (!invocation.subject.tenant.empty()) path += "&tenant=" + invocation.subject.tenant;
  const Reply reply = ApiClient(invocation.socket).get(path);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  if (!answer.is_object() || !answer.contains("orders") || !answer["orders"].is_array()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  Table table({{"AT"}, {"UID", Align::kRight}, {"ORDER"}, {"OUTCOME"}});
  for (const json& order : answer["orders"]) {
    const std::uint64_t status = number_at(order, "status");
    const std::string message = text_at(order, "message");
    table.add_row({{text_at(order, "at")},
                   {std::to_string(number_at(order, "uid"))},
                   {text_at(order, "method") + " " + text_at(order, "path")},
                   {fmt::format("{}{}{}", status, message.empty() ? "" : " ", message),
                    status < 300 ? Colour::kPlain : Colour::kRed}});
  }
  print(answer["orders"].empty() ? "No orders.\n" : table.render(look_at_terminal()));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
