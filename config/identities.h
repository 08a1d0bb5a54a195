// Users and ids in host and tenant files: names are resolved, and ids that nobody may be given are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/map_reader.h"
#include "config/users.h"

namespace rowhouse::config {

inline constexpr std::uint32_t kMaxId =
    0xfffffffe;  // the next one is (uid_t)-1, "no change" for setresuid(2)

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// Why no program and no tenant may run with this uid or gid: 0, 65534, 65535 and 4294967295.  Empty
// otherwise.
[[nodiscard]] std::string reserved_id_problem(std::uint32_t id);

// The user of that name; nothing after a report.
std::optional<User> read_user_name(const Node& node, std::string_view subject, const Users& users,
                                   Diagnostics&);

// A user name or a uid for one of our own programs: the gid is the user's, or the same number when the uid
// has no entry.  Reserved ids are refused.
std::optional<Identity> read_identity(const Node& node, std::string_view subject, const Users& users,
                                      Diagnostics& diagnostics);

// A user name or a uid for a person: 0 is allowed.
std::optional<std::uint32_t> read_admin(const Node& node, std::string_view subject, const Users& users,
                                        Diagnostics& diagnostics);

// The identity of a user that no key names: a default.  Reported at `position`.
std::optional<Identity> find_default_identity(std::string_view name, std::string_view subject,
                                              Position position, const Users& users,
                                              Diagnostics& diagnostics);

}  // namespace rowhouse::config
