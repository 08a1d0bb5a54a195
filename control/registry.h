// Who exists and who may see it, as the supervisor tells it: admins, tenants with their uids, the problems of
// their files, and the names behind app numbers.  Pure bookkeeping; every decision about a caller is made
// here.
//
// SECURITY: the uid comes from SO_PEERCRED alone.  What a caller may not see looks exactly like what does not
// exist (test_registry.cc, test_control_roles.py).
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rowhouse::control {

struct AppName {
  std::string tenant;
  std::string app;
  auto operator<=>(const AppName&) const = default;
  [[nodiscard]] std::string text() const { return tenant + "/" + app; }
};

// [a-z0-9][a-z0-9-]{0,62}: what tenants and apps are called, and what may become a directory of ours.
[[nodiscard]] bool is_name(std::string_view text);

enum class Role { kNone, kTenant, kAdmin };

// One sentence about a tenant's file that was refused.
struct Problem {
  std::string tenant;
  std::string message;
};

class Registry {
 public:
  // App numbers remembered per tenant.  A tenant can make new apps for ever; the oldest numbers are
  // forgotten.
  static constexpr std::size_t kMaxNumbersPerTenant = 256;

  void add_admin(uid_t uid) { admins_.insert(uid); }
  void set_tenant(const std::string& tenant, uid_t uid) { tenants_[tenant] = uid; }
  void remove_tenant(const std::string& tenant);
  // Replaces what is known; no sentences: the problem is resolved.
  void set_problem(const std::string& tenant, std::vector<std::string> sentences);
  // The app is suspended, or with an empty `app` the whole tenant; `reason` may be empty.
  void set_suspension(const AppName& app, std::string reason) { suspensions_[app.tenant][app.app] = std::move(reason); }
  // Of the tenant and of all its apps.
  void lift_suspensions(const std::string& tenant) { suspensions_.erase(tenant); }
  void learn_app(std::uint32_t number, const AppName& name);

  [[nodiscard]] Role role_of(uid_t uid) const;
  // True when the tenant exists and `uid` may see it.
  [[nodiscard]] bool may_see(uid_t uid, const std::string& tenant) const;
  [[nodiscard]] bool has_tenant(const std::string& tenant) const { return tenants_.contains(tenant); }
  // The tenants that belong to `uid`, in the order of their names.
  [[nodiscard]] std::vector<std::string> tenants_of(uid_t uid) const;
  // All, in the order of their names.
  [[nodiscard]] std::vector<std::string> tenants() const;
  // For a caller that was allowed to see its tenant before: why it, or the tenant, is suspended; nullptr when it is not.
  [[nodiscard]] const std::string* suspension_of(const AppName& app) const;
  // Nullptr when the number has no name (0: requests without a route).
  [[nodiscard]] const AppName* find_app(std::uint32_t number) const;
  // The problems that `uid` may see; of one tenant when `tenant` is not empty.
  [[nodiscard]] std::vector<Problem> problems_for(uid_t uid, const std::string& tenant) const;
  // The same for a caller that was allowed to see `tenant` before.
  [[nodiscard]] std::vector<Problem> problems_of(const std::string& tenant) const;

 private:
  std::set<uid_t> admins_;
  std::map<std::string, uid_t> tenants_;
  std::map<std::string, std::vector<std::string>> problems_;
  // Of each tenant: the suspended apps ("": all of them), with the reason.
  std::map<std::string, std::map<std::string, std::string>> suspensions_;
  std::unordered_map<std::uint32_t, AppName> apps_;
  std::map<std::string, std::set<std::uint32_t>> numbers_;
};

}  // namespace rowhouse::control
