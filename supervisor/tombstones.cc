#include "supervisor/tombstones.h"

#include "base/files.h"
#include "proto/frames.h"
#include "proto/limits.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::string_view kMagic = "RHTENT1\n";
constexpr const char* kFileName = "tenants";
constexpr std::size_t kMaxFileBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxNamedLeftovers = 8;  // in one sentence

void append_text(std::string& out, const std::string& text) {
  proto::append_integer(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}

std::string read_text(ByteReader& reader, std::size_t cap) {
  const std::size_t size = reader.u16();
  return size > cap ? std::string() : std::string(as_text(reader.bytes(size)));
}

std::string listed(const std::vector<std::string>& leftovers) {
  std::string text;
  for (std::size_t i = 0; i < leftovers.size() && i < kMaxNamedLeftovers; ++i) {
    text += (i == 0 ? "" : ", ") + leftovers[i];
  }
  if (leftovers.size() > kMaxNamedLeftovers) {
    text += " and " + std::to_string(leftovers.size() - kMaxNamedLeftovers) + " more";
  }
  return text;
}

std::string ids_of(std::uint32_t uid, std::uint32_t gid) {
  return "uid " + std::to_string(uid) + " and gid " + std::to_string(gid);
}

}  // namespace

std::string encode_former_tenants(const FormerTenants& tenants) {
  std::string out(kMagic);
  for (const auto& [name, tenant] : tenants) {
    proto::append_integer(out, tenant.uid);
    proto::append_integer(out, tenant.gid);
    append_text(out, name);
    append_text(out, tenant.home);
  }
  return out;
}

Result<FormerTenants> parse_former_tenants(ByteSpan bytes) {
  const Error malformed = make_error(ErrorCode::kInvalid, "state/tenants");
  ByteReader reader(bytes);
  FormerTenants tenants;
  if (as_text(reader.bytes(kMagic.size())) != kMagic) return malformed;
  while (reader.ok() && reader.remaining() > 0) {
    FormerTenant tenant;
    tenant.uid = reader.u32();
    tenant.gid = reader.u32();
    const std::string name = read_text(reader, proto::kMaxNameBytes);
    tenant.home = read_text(reader, proto::kMaxPathBytes);
    if (!is_name(name) || tenant.uid == 0 || tenant.gid == 0 || !tenant.home.starts_with('/'))
      return malformed;
    if (!tenants.emplace(name, std::move(tenant)).second) return malformed;
  }
  if (!reader.done()) return malformed;
  return tenants;
}

Result<Tombstones> Tombstones::open(UniqueFd state_directory) {
  Tombstones tombstones;
  tombstones.directory_ = std::move(state_directory);
  auto content = read_file(tombstones.directory_.get(), kFileName, kMaxFileBytes);
  if (!content.ok()) {
    if (content.error().system_errno == ENOENT) return tombstones;
    return content.error();
  }
  RH_ASSIGN(FormerTenants tenants, parse_former_tenants(as_bytes(content.value())));
  tombstones.take(std::move(tenants));
  return tombstones;
}

void Tombstones::take(FormerTenants tenants) {
  tenants_ = std::move(tenants);
  uids_.clear();
  gids_.clear();
  for (const auto& [name, tenant] : tenants_) {
    uids_[tenant.uid] = name;
    gids_[tenant.gid] = name;
  }
}

bool Tombstones::remembers(const TenantEntry& tenant) const {
  const auto found = tenants_.find(tenant.name);
  return found != tenants_.end() && found->second.uid == tenant.uid && found->second.gid == tenant.gid;
}

std::optional<Problem> Tombstones::check(const TenantEntry& tenant, const std::set<std::string>& files,
                                         const FindLeftovers& find) const {
  std::vector<std::string> others;
  const auto uid = uids_.find(tenant.uid);
  const auto gid = gids_.find(tenant.gid);
  if (uid != uids_.end() && uid->second != tenant.name) others.push_back(uid->second);
  if (gid != gids_.end() && gid->second != tenant.name) others.push_back(gid->second);
  if (tenants_.contains(tenant.name) && !remembers(tenant)) others.push_back(tenant.name);
  for (const std::string& name : others) {
    if (auto problem = check_against(name, tenant, files, find)) return problem;
  }
  return std::nullopt;
}

std::optional<Problem> Tombstones::check_against(const std::string& name, const TenantEntry& tenant,
                                                 const std::set<std::string>& files,
                                                 const FindLeftovers& find) const {
  const FormerTenant& former = tenants_.at(name);
  const bool renumbered = name == tenant.name;
  if (!renumbered && files.contains(name)) {
    const bool same_uid = former.uid == tenant.uid;
    return Problem{(same_uid ? "uid " + std::to_string(tenant.uid) : "gid " + std::to_string(tenant.gid)) +
                   " belongs to tenant " + name + "; it can have one tenant only"};
  }
  Trace trace{former.uid, former.gid, name, former.home};
  if (renumbered && former.uid == tenant.uid) trace.uid.reset();  // it keeps what its uid has
  if (renumbered && former.gid == tenant.gid) trace.gid.reset();
  const std::vector<std::string> leftovers = find(trace);
  if (leftovers.empty()) return std::nullopt;
  const std::string who = renumbered ? "the tenant had " + ids_of(former.uid, former.gid) + " before, not " +
                                           ids_of(tenant.uid, tenant.gid)
                                     : ids_of(former.uid, former.gid) + " were those of tenant " + name;
  return Problem{
      who + ", and this is left of it: " + listed(leftovers) +
      "; remove or give away what is left, then start rowhoused again, or take back the old entry"};
}

Status Tombstones::settle(const std::map<std::string, TenantEntry>& accepted,
                          const std::set<std::string>& files, const FindLeftovers& find) {
  FormerTenants next;
  std::set<std::uint32_t> taken_uids, taken_gids;
  for (const auto& [name, tenant] : accepted) {
    next[name] = {tenant.uid, tenant.gid, tenant.home};
    taken_uids.insert(tenant.uid);
    taken_gids.insert(tenant.gid);
  }
  for (const auto& [name, tenant] : tenants_) {
    // check() has found nothing left of those whose ids were given away.
    if (accepted.contains(name) || taken_uids.contains(tenant.uid) || taken_gids.contains(tenant.gid))
      continue;
    const bool has_file = files.contains(name);
    if (has_file || !find({tenant.uid, tenant.gid, name, tenant.home}).empty()) next[name] = tenant;
  }
  if (next == tenants_) return {};
  RH_TRY(replace_file(directory_.get(), kFileName, encode_former_tenants(next), 0600));
  take(std::move(next));
  return {};
}

}  // namespace rowhouse::supervisor
