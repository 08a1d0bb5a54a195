// What the tests of the schemas share: a text in, its sentences out, and users that do not depend on the
// machine.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/users.h"
#include "config/yaml_tree.h"

namespace rowhouse::config {

class FixedUsers final : public Users {
 public:
  std::vector<User> users = {{"root", 0, 0, "/root"},
                             {"nobody", 65534, 65534, "/nonexistent"},
                             {"rowhouse-gateway", 801, 901, "/nonexistent"},
                             {"rowhouse-control", 802, 902, "/nonexistent"},
                             {"acme", 2001, 2002, "/home/acme/"},
                             {"rootgroup", 2003, 0, "/home/rootgroup"},
                             {"homeless", 2004, 2004, "nowhere"},
                             {"slash", 2005, 2005, "/"}};
  std::vector<Group> groups = {{"root", 0}, {"docker", 990}, {"acme", 2002}, {"slash", 2005}};
  // The database cannot be asked when this is not 0.
  int broken = 0;

  [[nodiscard]] Result<std::optional<User>> find_name(const std::string& name) const override {
    return find([&](const User& user) { return user.name == name; });
  }
  [[nodiscard]] Result<std::optional<User>> find_uid(std::uint32_t uid) const override {
    return find([&](const User& user) { return user.uid == uid; });
  }
  [[nodiscard]] Result<std::optional<Group>> find_gid(std::uint32_t gid) const override {
    if (broken != 0) return Error{ErrorCode::kSystem, "getgrgid", broken};
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.gid == gid; });
    return found == groups.end() ? std::optional<Group>() : std::optional(*found);
  }
  [[nodiscard]] Result<std::vector<Group>> privileged_groups() const override {
    if (broken != 0) return Error{ErrorCode::kSystem, "getgrnam", broken};
    return std::vector<Group>{groups[0], groups[1]};
  }

 private:
  template <typename Matches>
  Result<std::optional<User>> find(Matches matches) const {
    if (broken != 0) return Error{ErrorCode::kSystem, "getpwnam", broken};
    const auto found = std::find_if(users.begin(), users.end(), matches);
    return found == users.end() ? std::optional<User>() : std::optional(*found);
  }
};

// The sentences of `text`, read by `read(root, diagnostics)`, as "LINE:COLUMN: sentence" joined by line ends.
template <typename Read>
std::string sentences(std::string_view text, Read read) {
  Diagnostics diagnostics;
  if (const auto root = parse_yaml(text, diagnostics)) read(*root, diagnostics);
  std::string joined;
  for (const std::string& line : diagnostics.lines("f")) {
    if (!joined.empty()) joined += '\n';
    joined += line.substr(2);
  }
  return joined;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace rowhouse::config
