// The host's user database, asked only here, in a process that lives for a moment: NSS may block on a
// directory server (THREATS R28).  An interface, because the samples name users that a build machine lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::config {

// Groups whose members read other people's secrets or become root (THREATS S22): never a tenant's.
inline constexpr std::string_view kPrivilegedGroups[] = {
    "root",    "adm", "disk",   "docker", "incus-admin",     "kmem", "kvm",
    "libvirt", "lxd", "shadow", "sudo",   "systemd-journal", "tty",  "wheel",
};

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

struct Group {
  std::string name;
  std::uint32_t gid = 0;
};

class Users {
 public:
  virtual ~Users() = default;
  // Nothing when there is no such user; an error when the database cannot be asked.
  [[nodiscard]] virtual Result<std::optional<User>> find_name(const std::string& name) const = 0;
  [[nodiscard]] virtual Result<std::optional<User>> find_uid(std::uint32_t uid) const = 0;
  [[nodiscard]] virtual Result<std::optional<Group>> find_gid(std::uint32_t gid) const = 0;
  // Those of kPrivilegedGroups that this host has.
  [[nodiscard]] virtual Result<std::vector<Group>> privileged_groups() const = 0;
};

// getpwnam_r(3), getpwuid_r(3), getgrnam_r(3) and getgrgid_r(3).
class SystemUsers final : public Users {
 public:
  [[nodiscard]] Result<std::optional<User>> find_name(const std::string& name) const override;
  [[nodiscard]] Result<std::optional<User>> find_uid(std::uint32_t uid) const override;
  [[nodiscard]] Result<std::optional<Group>> find_gid(std::uint32_t gid) const override;
  [[nodiscard]] Result<std::vector<Group>> privileged_groups() const override;

 private:
  mutable std::optional<std::vector<Group>> privileged_;  // asked once: a loader reads every tenant's file
};

}  // namespace rowhouse::config
