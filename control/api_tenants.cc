// Tenants: created, read, changed, suspended and removed.  Only administrators write; a tenant may read itself.
//
// Everything is decided here by the caller's role, before the supervisor is asked: a tenant gets 404 for what is not
// its own, and 403 for what its role can never do to itself.
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/printable.h"
#include "control/api.h"
#include "control/changes_json.h"
#include "control/json_fields.h"
#include "control/tenant_json.h"

namespace rowhouse::control {
namespace {

using nlohmann::ordered_json;
using proto::CommandOutcome;
using proto::TenantWriteMode;

constexpr std::uint32_t kDefaultTenants = 100;
constexpr std::uint32_t kMaxTenants = 256;  // of one answer
constexpr std::string_view kTenantMethods = "GET, HEAD, PUT, PATCH, DELETE";
constexpr std::string_view kPutMethod = "PUT";

}  // namespace

void Api::route_tenants(const Call& call) {
  const std::vector<std::string>& path = call.target.segments;
  if (path.size() == 2) return list_tenants(call);
  if (path.size() == 3) return route_tenant(call, path[2]);
  const std::string verb = path.size() == 4 ? path[3] : "";
  if (verb == "reload") return start_reload_tenant(call);
  if (verb == "manifest") return start_manifest(call, path[2]);
  if (verb == "suspend" || verb == "unsuspend") return start_suspension(call, path[2], verb == "suspend" ? SuspensionOrder::kSuspend : SuspensionOrder::kLift);
  fail_not_found(call.id, "This path");
}

bool Api::check_tenant_admin(const Call& call, const std::string& tenant) {
  if (!is_name(tenant)) {
    fail_not_found(call.id, tenant);
    return false;
  }
  if (parts_.registry.role_of(call.uid) == Role::kAdmin) return true;
  if (parts_.registry.may_see(call.uid, tenant)) {
    fail(call.id, {403, "forbidden", "Only administrators may do this.", "", ""});
  } else {
    fail_not_found(call.id, tenant);
  }
  return false;
}

// --- reading -----------------------------------------------------------------------------------------------

void Api::list_tenants(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {"after", "limit"}) || !check_body(call)) return;
  proto::TenantQuery query;
  query.limit = kDefaultTenants;
  const std::string after = call.target.parameter("after"), limit = call.target.parameter("limit");
  const auto parsed = std::from_chars(limit.data(), limit.data() + limit.size(), query.limit);
  const bool limit_ok = limit.empty() || (parsed.ec == std::errc() && parsed.ptr == limit.data() + limit.size() &&
                                          query.limit >= 1 && query.limit <= kMaxTenants);
  if (!limit_ok || (!after.empty() && !is_name(after))) {
    return fail(call.id, {400, "bad_request", limit_ok ? "after must be a tenant's name." : "limit must be 1 to 256.", "", ""});
  }
  query.after = proto::Name::cut(after);
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    const std::vector<std::string> own = parts_.registry.tenants_of(call.uid);
    if (own.empty() || own.front() <= after) return answer_tenants(call.id, call.uid, {});
    query.tenant = proto::Name::cut(own.front());
  }
  ask_tenants(call.id, query, [this, id = call.id, uid = call.uid](const TenantsFound& found) {
    answer_tenants(id, uid, found);
  });
}

void Api::answer_tenants(ConnectionId id, uid_t uid, const TenantsFound& found) {
  ordered_json tenants = ordered_json::array();
  for (const TenantFound& tenant : found.tenants) {
    if (!parts_.registry.may_see(uid, tenant.detail.tenant.str())) continue;
    tenants.push_back(tenant_detail_json(tenant, DomainsShown::kCount));
  }
  ordered_json next = nullptr;
  if (found.more && !found.tenants.empty()) next = found.tenants.back().detail.tenant.view();
  send_json(id, 200, {{"tenants", tenants}, {"next", next}});
}

void Api::ask_tenants(ConnectionId id, const proto::TenantQuery& query, std::function<void(const TenantsFound&)> use) {
  const bool asked = parts_.tenants.query(query, [this, id, use = std::move(use)](const auto& found) {
    if (!found) return fail_unavailable(id);
    use(*found);
  });
  if (!asked) fail_unavailable(id);
}

void Api::route_tenant(const Call& call, const std::string& tenant) {
  const std::string& method = call.request.method;
  const bool reads = method == "GET" || method == "HEAD";
  if (!check_method(call, kTenantMethods)) return;
  if (!reads && !check_tenant_admin(call, tenant)) return;
  if (method == "DELETE") return start_removal(call, tenant);
  if (!reads) {
    return start_write(call, tenant, method == "PUT" ? TenantWriteMode::kReplace : TenantWriteMode::kChange);
  }
  if (!check_parameters(call, {}) || !check_body(call)) return;
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  if (!is_name(tenant) || (!admin && !parts_.registry.may_see(call.uid, tenant))) return fail_not_found(call.id, tenant);
  proto::TenantQuery query;
  query.tenant = proto::Name::cut(tenant);
  ask_tenants(call.id, query, [this, id = call.id, tenant](const TenantsFound& found) {
    if (found.tenants.empty()) return fail_not_found(id, tenant);
    send_json(id, 200, {{"tenant", tenant_detail_json(found.tenants.front(), DomainsShown::kAll)}});
  });
}

// --- writing -----------------------------------------------------------------------------------------------

std::optional<bool> Api::take_flag(const Call& call, const std::string& name) {
  const std::string value = call.target.parameter(name);
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  fail(call.id, {400, "bad_request", name + " must be 0 or 1.", "", ""});
  return std::nullopt;
}

std::optional<nlohmann::json> Api::take_json(const Call& call) {
  ParsedJson parsed = parse_json(call.request.body.empty() ? "{}" : call.request.body);
  if (!parsed.problem && !parsed.value.is_object()) parsed.problem = JsonProblem{"", "must be an object"};
  if (!parsed.problem) return std::move(parsed.value);
  fail_body(call.id, *parsed.problem);
  return std::nullopt;
}

void Api::fail_body(ConnectionId id, const JsonProblem& problem) {
  fail(id, {400, "bad_request", "The body is refused: " + terminal_safe(problem.message) + ".", "",
            terminal_safe(problem.pointer)});
}

void Api::start_write(const Call& call, const std::string& tenant, TenantWriteMode mode) {
  if (!check_parameters(call, {"dry_run"})) return;
  const auto trial = take_flag(call, "dry_run");
  if (!trial) return;
  const auto body = take_json(call);
  if (!body) return;
  auto parsed = parse_tenant_body(*body, tenant, mode);
  if (const auto* problem = std::get_if<JsonProblem>(&parsed)) return fail_body(call.id, *problem);
  auto draft = std::get<TenantDraftText>(std::move(parsed));
  draft.draft.trial = *trial;
  order_write(call.id, call.uid, std::move(draft), mode == TenantWriteMode::kReplace ? "put" : "change");
}

void Api::start_suspension(const Call& call, const std::string& tenant, SuspensionOrder order) {
  const bool suspends = order == SuspensionOrder::kSuspend;
  if (!check_method(call, kPostMethod) || !check_tenant_admin(call, tenant) || !check_parameters(call, {"dry_run"})) return;
  const auto trial = take_flag(call, "dry_run");
  if (!trial) return;
  const auto body = take_json(call);
  if (!body) return;
  const auto unknown = suspends ? check_fields(*body, {"reason"}) : check_fields(*body, {});
  if (unknown) return fail_body(call.id, *unknown);
  JsonFields fields(*body);
  const std::string reason = fields.text("reason", proto::kMaxReasonOfSuspensionBytes).value_or("");
  if (fields.problem()) return fail_body(call.id, *fields.problem());
  TenantDraftText draft;
  draft.draft.tenant = proto::Name::cut(tenant);
  draft.draft.mode = TenantWriteMode::kChange;
  draft.draft.trial = *trial;
  draft.draft.suspension = suspends ? proto::SuspensionChange::kSuspend : proto::SuspensionChange::kLift;
  draft.draft.reason = proto::SuspensionReason::cut(reason);
  order_write(call.id, call.uid, std::move(draft), suspends ? "suspend" : "unsuspend");
}

void Api::order_write(ConnectionId id, uid_t uid, TenantDraftText draft, const char* order) {
  const std::string tenant = draft.draft.tenant.str();
  const bool trial = draft.draft.trial;
  const bool taken = parts_.tenants.write(std::move(draft), [this, id, uid, tenant, trial, order](const auto& found) {
    if (!found) return fail(id, {504, "timeout", "The outcome is not known yet; read the tenant.", "", ""});
    const bool changed = found->done.created || !found->changes.empty() || !found->tenants.empty();
    if (found->done.outcome == CommandOutcome::kDone && !trial && changed) {
      parts_.chronicle.add_tenant_order(tenant, order, uid);
    }
    answer_order(id, tenant, *found, trial ? Trial::kYes : Trial::kNo);
  });
  if (!taken) fail_too_many_orders(id);
}

void Api::answer_order(ConnectionId id, const std::string& tenant, const TenantOrderFound& found, Trial trial) {
  switch (found.done.outcome) {
    case CommandOutcome::kDone: break;
    case CommandOutcome::kNotFound: return fail_not_found(id, tenant);
    case CommandOutcome::kBusy: return fail_too_many_orders(id);
    case CommandOutcome::kConflict:
    case CommandOutcome::kSuspended: {
      const std::string why = found.sentences.empty() ? "not possible now" : found.sentences.front();
      return fail(id, {409, "conflict", why + ".", "", ""});
    }
    case CommandOutcome::kFailed: return fail(id, refusal_of(found, tenant));
  }
  ordered_json body{{"outcome", "done"}, {"created", found.done.created}};
  if (trial == Trial::kYes) body["dry_run"] = true;
  body["changes"] = changes_json(found.changes);
  body["tenants"] = tenant_changes_json(found.tenants);
  send_json(id, found.done.created && trial == Trial::kNo ? 201 : 200, body);
}

void Api::fail_too_many_orders(ConnectionId id) {
  fail(id, {409, "busy", "Too much is being changed just now, or Rowhouse is starting or stopping; try again.", "", ""});
}

void Api::start_removal(const Call& call, const std::string& tenant) {
  if (!check_parameters(call, {"purge"}) || !check_body(call)) return;
  const auto purge = take_flag(call, "purge");
  if (!purge) return;
  const bool taken = parts_.tenants.remove(tenant, [this, id = call.id, uid = call.uid, tenant, purge = *purge](const auto& found) {
    if (!found) return fail(id, {504, "timeout", "Something of the tenant still runs; see status.", "", ""});
    if (found->done.outcome != CommandOutcome::kDone) return answer_order(id, tenant, *found, Trial::kNo);
    if (purge) purge_tenant(tenant);
    parts_.chronicle.add_removal(tenant, uid, purge ? Chronicle::Purged::kYes : Chronicle::Purged::kNo);
    send_json(id, 200, {{"outcome", "done"}, {"purged", purge}});
  });
  if (!taken) fail_too_many_orders(call.id);
}

void Api::purge_tenant(const std::string& tenant) {
  parts_.book.forget_tenant(tenant);
  parts_.chronicle.forget_tenant(tenant);
  parts_.book.directory().remove_tenant(tenant);
}

// --- manifests ---------------------------------------------------------------------------------------------

void Api::start_manifest(const Call& call, const std::string& tenant) {
  if (!check_method(call, kPutMethod)) return;
  if (!is_name(tenant) || !parts_.registry.may_see(call.uid, tenant)) return fail_not_found(call.id, tenant);
  if (!check_parameters(call, {"dry_run"})) return;
  const auto trial = take_flag(call, "dry_run");
  if (!trial) return;
  auto text = create_sealed_memory("manifest", as_bytes(call.request.body));
  if (!text.ok()) return fail_unavailable(call.id);
  const auto use = *trial ? proto::ManifestUse::kTry : proto::ManifestUse::kWrite;
  const bool taken = parts_.tenants.put_manifest(
      tenant, use, std::move(text).value(), [this, id = call.id, uid = call.uid, tenant, trial = *trial](const auto& found) {
        if (!found) return fail(id, {504, "timeout", "The outcome is not known yet; see status.", "", ""});
        if (found->done.outcome == CommandOutcome::kFailed) {
          std::string detail;
          for (const std::string& sentence : found->sentences) detail += (detail.empty() ? "" : "\n") + sentence;
          return fail(id, {422, "refused", "The manifest is refused; nothing has changed.", detail, ""});
        }
        if (found->done.outcome == CommandOutcome::kDone && !trial) parts_.chronicle.add_tenant_order(tenant, "manifest", uid);
        answer_order(id, tenant, *found, trial ? Trial::kYes : Trial::kNo);
      });
  if (!taken) fail_too_many_orders(call.id);
}

}  // namespace rowhouse::control
