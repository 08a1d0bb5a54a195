#include "supervisor/tenant_draft.h"

#include <algorithm>
#include <utility>

namespace rowhouse::supervisor {
namespace {

using proto::SuspensionChange;
using proto::TenantKey;
using proto::TenantWriteMode;

constexpr const char* kDefaultManifest = "rowhouse.yaml";

// A YAML scalar in single quotes, in which nothing but the quote itself has a meaning (YAML 1.2, 7.3.2).
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Problem missing(TenantKey key, const std::string& name) {
  return {"\"" + name + "\" is missing", key};
}

std::optional<Problem> take_identity(const proto::TenantDraft& draft, TenantEntry& wanted) {
  if (!draft.user.empty()) {
    if (draft.uid != 0 || draft.gid != 0 || !draft.home.empty()) {
      return Problem{"\"user\" cannot be given together with \"uid\", \"gid\" and \"home\"", TenantKey::kUser};
    }
    wanted.user = draft.user.str();
    return std::nullopt;
  }
  if (draft.uid == 0) return missing(TenantKey::kUid, "uid");
  if (draft.gid == 0) return missing(TenantKey::kGid, "gid");
  if (draft.home.empty()) return missing(TenantKey::kHome, "home");
  wanted.uid = draft.uid;
  wanted.gid = draft.gid;
  wanted.home = draft.home.str();
  return std::nullopt;
}

void take_suspension(const proto::TenantDraft& draft, TenantEntry& wanted) {
  if (draft.suspension == SuspensionChange::kSuspend) wanted.suspensions = {{"", draft.reason.str()}};
  if (draft.suspension == SuspensionChange::kLift) wanted.suspensions.clear();
}

OrProblem<TenantEntry> merge_replacement(const TenantOrder& order, const TenantEntry* current) {
  TenantEntry wanted;
  wanted.name = order.draft.tenant.str();
  if (const auto problem = take_identity(order.draft, wanted)) return *problem;
  if (order.draft.plan.empty()) return missing(TenantKey::kPlan, "plan");
  wanted.plan = order.draft.plan.str();
  wanted.manifest = order.draft.manifest.empty() ? kDefaultManifest : order.draft.manifest.str();
  wanted.domains = order.domains;
  // What a panel does not send with every renewal stays: a suspension is lifted by its own call only.
  if (current != nullptr) {
    wanted.network = current->network;
    wanted.suspensions = current->suspensions;
  }
  take_suspension(order.draft, wanted);
  return wanted;
}

OrProblem<TenantEntry> merge_change(const TenantOrder& order, const TenantEntry& current) {
  const proto::TenantDraft& draft = order.draft;
  if (!draft.user.empty() || draft.uid != 0 || draft.gid != 0) {
    return Problem{"a tenant keeps its user and ids", TenantKey::kUser};
  }
  TenantEntry wanted = current;
  if (!draft.home.empty()) wanted.home = draft.home.str();
  if (!draft.plan.empty()) wanted.plan = draft.plan.str();
  if (!draft.manifest.empty()) wanted.manifest = draft.manifest.str();
  if (draft.has_domains) wanted.domains = order.domains;
  take_suspension(draft, wanted);
  return wanted;
}

std::string format_network(const NetworkAccess& network) {
  std::string text = std::string("network:\n  mode: ") +
                     (network.mode == proto::NetworkMode::kPrivate ? "private" : "host") + "\n";
  if (!network.sockets.empty()) text += "  sockets:\n";
  for (const std::string& path : network.sockets) text += "    - " + quoted(path) + "\n";
  if (!network.ports.empty()) text += "  connect:\n";
  for (const std::uint16_t port : network.ports) text += "    - " + std::to_string(port) + "\n";
  return text;
}

// The file has one reason for all apps that it names, so all of them have the same one.
std::string format_suspensions(const std::map<std::string, std::string>& suspensions) {
  if (suspensions.empty()) return "";
  const auto& [first, reason] = *suspensions.begin();
  if (first.empty() && reason.empty()) return "suspended: true\n";
  std::string text = "suspended:\n  reason: " + quoted(reason) + "\n";
  if (first.empty()) return text;
  text += "  apps:\n";
  for (const auto& [app, ignored] : suspensions) text += "    - " + quoted(app) + "\n";
  return text;
}

}  // namespace

void TenantDrafts::begin(const proto::TenantDraft& draft) { open_ = TenantOrder{draft, {}}; }

void TenantDrafts::add(const proto::TenantDraftDomain& domain) {
  if (!open_ || open_->draft.request != domain.request || open_->domains.size() >= proto::kMaxDomainsPerTenant) {
    open_.reset();
    return;
  }
  open_->domains.push_back({domain.host.str(), domain.wildcard});
}

std::optional<TenantOrder> TenantDrafts::finish(const proto::TenantWrite& write) {
  std::optional<TenantOrder> order = std::exchange(open_, std::nullopt);
  if (!order || order->draft.request != write.request || order->domains.size() != write.domains) return std::nullopt;
  return order;
}

OrProblem<TenantEntry> merge_order(const TenantOrder& order, const TenantEntry* current) {
  if (!is_name(order.draft.tenant.view())) {
    return Problem{"a tenant's name is 1 to 63 of a-z, 0-9 and -, not - first", TenantKey::kTenant};
  }
  if (order.draft.mode == TenantWriteMode::kReplace) return merge_replacement(order, current);
  if (current == nullptr) return Problem{"there is no such tenant", TenantKey::kTenant};
  return merge_change(order, *current);
}

std::optional<Problem> check_wanted(const TenantEntry& wanted, const HostConfiguration& host,
                                    const TenantIndex& accepted) {
  if (!is_one_line(wanted.user)) return Problem{"\"user\" must be one line", TenantKey::kUser};
  if (!is_one_line(wanted.home)) return Problem{"\"home\" must be one line", TenantKey::kHome};
  if (!is_one_line(wanted.manifest)) return Problem{"\"manifest\" must be one line", TenantKey::kManifest};
  for (const auto& [app, reason] : wanted.suspensions) {
    if (is_one_line(reason)) continue;
    return Problem{"the reason must be one line without control characters", TenantKey::kSuspended};
  }
  if (wanted.user.empty() || wanted.uid != 0) {
    if (auto problem = check_ids(wanted, host, accepted)) return problem;
  }
  return check_scope(wanted, host, accepted);
}

std::string format_tenant_file(const TenantEntry& wanted) {
  std::string text = "# Written through the API of Rowhouse, which writes the whole file with every change.\n";
  if (wanted.uid == 0) {
    text += "user: " + quoted(wanted.user) + "\n";
  } else {
    text += "uid: " + std::to_string(wanted.uid) + "\ngid: " + std::to_string(wanted.gid) + "\nhome: " +
            quoted(wanted.home) + "\n";
  }
  text += "plan: " + quoted(wanted.plan) + "\nmanifest: " + quoted(wanted.manifest) + "\n";
  text += wanted.domains.empty() ? "domains: []\n" : "domains:\n";
  for (const Domain& domain : wanted.domains) {
    text += "  - " + quoted((domain.wildcard ? "*." : "") + domain.host) + "\n";
  }
  if (wanted.network) text += format_network(*wanted.network);
  return text + format_suspensions(wanted.suspensions);
}

std::optional<Problem> compare_with_wanted(const TenantEntry& wanted, const TenantEntry& read) {
  const auto differs = [](const char* key, TenantKey about) {
    return Problem{std::string("\"") + key + "\" is not in the form that it is kept in", about};
  };
  if (wanted.uid == 0 && wanted.user != read.user) return differs("user", TenantKey::kUser);
  if (wanted.uid != 0 && wanted.uid != read.uid) return differs("uid", TenantKey::kUid);
  if (wanted.uid != 0 && wanted.gid != read.gid) return differs("gid", TenantKey::kGid);
  if (wanted.uid != 0 && wanted.home != read.home) return differs("home", TenantKey::kHome);
  if (wanted.plan != read.plan) return differs("plan", TenantKey::kPlan);
  if (wanted.manifest != read.manifest) return differs("manifest", TenantKey::kManifest);
  if (wanted.domains != read.domains) return differs("domains", TenantKey::kDomains);
  if (wanted.suspensions != read.suspensions) return differs("reason", TenantKey::kSuspended);
  if (wanted.name != read.name || wanted.network != read.network) return differs("network", TenantKey::kNone);
  return std::nullopt;
}

}  // namespace rowhouse::supervisor
