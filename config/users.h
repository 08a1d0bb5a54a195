// The host's user database, asked only here, in a process that lives for a moment: NSS may block on a
// directory server (THREATS R28).  An interface, because the samples name users that a build machine lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace rowhouse::config {

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

class Users {
 public:
  virtual ~Users() = default;
  // Nothing when there is no such user; an error when the database cannot be asked.
  [[nodiscard]] virtual Result<std::optional<User>> find_name(const std::string& name) const = 0;
  [[nodiscard]] virtual Result<std::optional<User>> find_uid(std::uint32_t uid) const = 0;
};

// getpwnam_r(3) and getpwuid_r(3).
class SystemUsers final : public Users {
 public:
  [[nodiscard]] Result<std::optional<User>> find_name(const std::string& name) const override;
  [[nodiscard]] Result<std::optional<User>> find_uid(std::uint32_t uid) const override;
};

}  // namespace rowhouse::config
