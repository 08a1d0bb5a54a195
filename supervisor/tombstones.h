// Who had which uid, so that an id never passes from one tenant to another while anything of the first is
// left (THREATS X18), and so that the ids of a name stay what they were.  state/tenants holds every tenant
// that was ever accepted and is not yet gone without a trace: a file of root's own with a fixed layout - 8
// bytes magic, then per tenant u32 uid, u32 gid, name and home as u16 length and bytes.  Replaced as a whole,
// durably, before a process becomes a tenant.
//
//   accepted ----> tenant <---- the same name with the same ids comes back
//                    | its file vanishes
//                    v
//                tombstone --- nothing is left of it (asked at each start) ---> forgotten
//
// SECURITY: test_tombstones.cc, tests/system/test_tombstones.py.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

struct FormerTenant {
  std::uint32_t uid = 0, gid = 0;
  std::string home;
  auto operator<=>(const FormerTenant&) const = default;
};
using FormerTenants = std::map<std::string, FormerTenant>;  // by name

// What to look for on the host.  Without a uid or gid, nothing that has one counts.
struct Trace {
  std::optional<std::uint32_t> uid, gid;
  std::string name, home;
};
// Names what is left, one phrase each, in the order of importance; empty: nothing.
using FindLeftovers = std::function<std::vector<std::string>(const Trace&)>;

class Tombstones {
 public:
  // Reads `tenants` below the state directory; a file that cannot be right is an error, never an empty list.
  static Result<Tombstones> open(UniqueFd state_directory);

  // Why the tenant cannot have its ids.  `files` are the names that have a tenant file now.
  [[nodiscard]] std::optional<Problem> check(const TenantEntry& tenant, const std::set<std::string>& files,
                                             const FindLeftovers& find) const;
  // All files have been read: remembers the accepted tenants and forgets those that are gone without a trace.
  // After a failure the list is what it was.
  Status settle(const std::map<std::string, TenantEntry>& accepted, const std::set<std::string>& files,
                const FindLeftovers& find);
  // True when the tenant with these very ids is on disk: nothing may run as a tenant before that.
  [[nodiscard]] bool remembers(const TenantEntry& tenant) const;
  [[nodiscard]] const FormerTenants& all() const { return tenants_; }

 private:
  [[nodiscard]] std::optional<Problem> check_against(const std::string& name, const TenantEntry& tenant,
                                                     const std::set<std::string>& files,
                                                     const FindLeftovers& find) const;
  void take(FormerTenants tenants);

  UniqueFd directory_;
  FormerTenants tenants_;
  std::map<std::uint32_t, std::string> uids_, gids_;  // who has it
};

[[nodiscard]] std::string encode_former_tenants(const FormerTenants& tenants);
[[nodiscard]] Result<FormerTenants> parse_former_tenants(ByteSpan bytes);

}  // namespace rowhouse::supervisor
