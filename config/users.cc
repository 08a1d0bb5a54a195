#include "config/users.h"

#include <grp.h>
#include <pwd.h>

#include <vector>

namespace rowhouse::config {
namespace {

constexpr std::size_t kEntryBytes = 32 * 1024;
constexpr std::size_t kMaxGroupBytes = 4 * 1024 * 1024;  // a group entry lists its members

User copied(const passwd& entry) {
  return {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
}
Group copied(const group& entry) {
  return {entry.gr_name, entry.gr_gid};
}

// `lookup(entry, buffer, found)` is one of the reentrant calls for an Entry.
template <typename Entry, typename Lookup>
auto find(Lookup lookup) -> Result<std::optional<decltype(copied(Entry{}))>> {
  using Found = decltype(copied(Entry{}));
  std::vector<char> buffer(kEntryBytes);
  Entry entry{};
  Entry* found = nullptr;
  int error = EINTR;
  while (error == EINTR || (error == ERANGE && buffer.size() < kMaxGroupBytes)) {
    if (error == ERANGE) buffer.resize(buffer.size() * 4);
    error = lookup(&entry, buffer.data(), buffer.size(), &found);
  }
  if (found != nullptr) return std::optional<Found>(copied(entry));
  // getpwnam(3): these, besides 0, may mean that there is no such user.
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return std::optional<Found>();
  }
  return Error{ErrorCode::kSystem, "user database", error};
}

}  // namespace

Result<std::optional<User>> SystemUsers::find_name(const std::string& name) const {
  return find<passwd>([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); });
}

Result<std::optional<User>> SystemUsers::find_uid(std::uint32_t uid) const {
  return find<passwd>([&](auto... rest) { return ::getpwuid_r(uid, rest...); });
}

Result<std::optional<Group>> SystemUsers::find_gid(std::uint32_t gid) const {
  return find<group>([&](auto... rest) { return ::getgrgid_r(gid, rest...); });
}

Result<std::vector<Group>> SystemUsers::privileged_groups() const {
  if (privileged_) return *privileged_;
  std::vector<Group> groups;
  for (const std::string_view name : kPrivilegedGroups) {
    const std::string text(name);
    RH_ASSIGN(const auto entry,
              find<group>([&](auto... rest) { return ::getgrnam_r(text.c_str(), rest...); }));
    if (entry) groups.push_back(*entry);
  }
  privileged_ = groups;
  return groups;
}

}  // namespace rowhouse::config
