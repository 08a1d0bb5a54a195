#include "control/tenant_json.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "control/json_fields.h"

namespace rowhouse::control {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using proto::TenantKey;

constexpr std::uint32_t kMaxId = 0xffffffff;
// By TenantKey; empty: no field of the body.
constexpr std::array<std::string_view, 10> kPointers = {"",      "",          "/user",    "/uid",    "/gid",
                                                        "/home", "/plan", "/manifest", "/domains", "/reason"};
static_assert(kPointers.size() == static_cast<std::size_t>(last_value(TenantKey{})) + 1);

proto::TenantDraftDomain domain_of(std::string_view text) {
  proto::TenantDraftDomain domain;
  domain.wildcard = text.starts_with("*.");
  domain.host = proto::Host::cut(domain.wildcard ? text.substr(2) : text);
  return domain;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Without the "FILE:LINE:COLUMN: " of a file that the caller has not written.
std::string_view without_position(std::string_view sentence, const std::string& tenant) {
  const std::string file = "/" + tenant + ".yaml:";
  const std::size_t at = sentence.find(file);
  if (at == std::string_view::npos) return sentence;
  std::string_view rest = sentence.substr(at + file.size());
  while (!rest.empty() && (is_digit(rest.front()) || rest.front() == ':')) rest.remove_prefix(1);
  return rest.starts_with(' ') ? rest.substr(1) : rest;
}

// The field whose name in quotes the loader's sentence begins with.
std::string pointer_of_sentence(std::string_view sentence) {
  for (const std::string_view pointer : kPointers) {
    if (pointer.empty()) continue;
    const std::string quoted = "\"" + std::string(pointer.substr(1)) + "\"";
    if (sentence.starts_with(quoted)) return std::string(pointer);
  }
  return "";
}

}  // namespace

std::variant<TenantDraftText, JsonProblem> parse_tenant_body(const json& body, const std::string& tenant,
                                                             proto::TenantWriteMode mode) {
  const bool replaces = mode == proto::TenantWriteMode::kReplace;
  const auto unknown = replaces ? check_fields(body, {"user", "uid", "gid", "home", "plan", "domains", "manifest"})
                                : check_fields(body, {"home", "plan", "domains", "manifest"});
  if (unknown) return *unknown;
  TenantDraftText text;
  proto::TenantDraft& draft = text.draft;
  draft.tenant = proto::Name::cut(tenant);
  draft.mode = mode;
  JsonFields fields(body);
  draft.user = proto::Name::cut(fields.text("user", proto::kMaxNameBytes).value_or(""));
  draft.uid = fields.number("uid", 1, kMaxId).value_or(0);
  draft.gid = fields.number("gid", 1, kMaxId).value_or(0);
  draft.home = proto::Path::cut(fields.text("home", proto::kMaxPathBytes).value_or(""));
  draft.plan = proto::Name::cut(fields.text("plan", proto::kMaxNameBytes).value_or(""));
  draft.manifest = proto::Path::cut(fields.text("manifest", proto::kMaxPathBytes).value_or(""));
  // A wildcard's "*." does not count.
  const auto domains = fields.texts("domains", proto::kMaxDomainsPerTenant, proto::kMaxHostBytes);
  if (fields.problem()) return *fields.problem();
  if (!domains) return text;
  draft.has_domains = true;
  for (std::size_t i = 0; i < domains->size(); ++i) {
    if (std::find(domains->begin(), domains->begin() + static_cast<std::ptrdiff_t>(i), (*domains)[i]) !=
        domains->begin() + static_cast<std::ptrdiff_t>(i)) {
      return JsonProblem{"/domains/" + std::to_string(i), "stands here twice"};
    }
    text.domains.push_back(domain_of((*domains)[i]));
  }
  return text;
}

ordered_json tenant_detail_json(const TenantFound& found, DomainsShown shown) {
  const proto::TenantDetail& detail = found.detail;
  ordered_json tenant{{"tenant", terminal_safe(detail.tenant.view())},
                      {"user", terminal_safe(detail.user.view())},
                      {"uid", detail.uid},
                      {"gid", detail.gid},
                      {"home", terminal_safe(detail.home.view())},
                      {"plan", detail.plan.view()},
                      {"manifest", terminal_safe(detail.manifest.view())},
                      {"network", detail.network == proto::NetworkMode::kPrivate ? "private" : "host"},
                      {"suspended", nullptr},
                      {"leaving", detail.leaving},
                      {"domains_total", detail.domains}};
  if (detail.suspended) tenant["suspended"] = ordered_json{{"reason", terminal_safe(detail.reason.view())}};
  if (shown == DomainsShown::kCount) return tenant;
  tenant["domains"] = ordered_json::array();
  for (const proto::TenantDetailDomain& domain : found.domains) {
    tenant["domains"].push_back((domain.wildcard ? "*." : "") + domain.host.str());
  }
  return tenant;
}

ErrorText refusal_of(const TenantOrderFound& found, const std::string& tenant) {
  const std::string first = found.sentences.empty() ? "the tenant cannot be so" : found.sentences.front();
  const std::string message(without_position(first, tenant));
  std::string pointer(kPointers[static_cast<std::size_t>(found.done.key)]);
  if (found.done.key == TenantKey::kDomains) pointer += "/" + std::to_string(found.done.index);
  if (pointer.empty()) pointer = pointer_of_sentence(message);
  std::string detail;
  for (std::size_t i = 1; i < found.sentences.size(); ++i) {
    detail += (detail.empty() ? "" : "\n") + std::string(without_position(found.sentences[i], tenant));
  }
  return {422, "refused", message + "; nothing has changed.", detail, pointer};
}

}  // namespace rowhouse::control
