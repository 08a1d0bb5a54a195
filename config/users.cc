#include "config/users.h"

#include <pwd.h>

#include <array>

namespace rowhouse::config {
namespace {

constexpr std::size_t kEntryBytes = 32 * 1024;

// `lookup(entry, buffer, found)` is one of the two reentrant calls.
template <typename Lookup>
Result<std::optional<User>> find(Lookup lookup) {
  std::array<char, kEntryBytes> buffer;
  passwd entry{};
  passwd* found = nullptr;
  int error = EINTR;
  while (error == EINTR) error = lookup(&entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return std::optional(User{entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir});
  // getpwnam(3): these, besides 0, may mean that there is no such user.
  if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
    return std::optional<User>();
  }
  return Error{ErrorCode::kSystem, "getpwnam", error};
}

}  // namespace

Result<std::optional<User>> SystemUsers::find_name(const std::string& name) const {
  return find([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); });
}

Result<std::optional<User>> SystemUsers::find_uid(std::uint32_t uid) const {
  return find([&](auto... rest) { return ::getpwuid_r(uid, rest...); });
}

}  // namespace rowhouse::config
