#include "config/identities.h"

#include <algorithm>

#include "config/characters.h"
#include "proto/limits.h"

namespace rowhouse::config {
namespace {

bool is_number(const Node& node) {
  return node.kind == NodeKind::kScalar && !node.text.empty() &&
         std::all_of(node.text.begin(), node.text.end(), is_digit);
}

std::optional<User> find_user(const std::string& name, Position position, std::string_view subject,
                              const Users& users, Diagnostics& diagnostics) {
  const auto report = [&](const std::string& predicate) {
    diagnostics.add(position, std::string(subject) + " " + predicate);
    return std::nullopt;
  };
  if (name.size() > proto::kMaxNameBytes) return report("must be a user name of at most 63 bytes");
  Result<std::optional<User>> found = users.find_name(name);
  if (!found.ok()) return report("cannot be looked up: " + describe(found.error()));
  if (!found.value()) return report("names " + quote(name) + ", and this host has no such user");
  return *found.value();
}

// Reports a uid or gid that no program may have.
bool is_usable(const Identity& identity, Position position, std::string_view subject,
               Diagnostics& diagnostics) {
  for (const auto& [noun, id] : {std::pair("uid ", identity.uid), std::pair("gid ", identity.gid)}) {
    const std::string problem = reserved_id_problem(id);
    if (problem.empty()) continue;
    diagnostics.add(position, std::string(subject) + " has the " + noun + problem);
    return false;
  }
  return true;
}

// A number as uid, nothing after a report.
std::optional<std::uint32_t> read_uid(const Node& node, std::string_view subject, Diagnostics& diagnostics) {
  const auto uid = read_whole(node, subject, {0, UINT32_MAX}, diagnostics);
  if (!uid) return std::nullopt;
  return static_cast<std::uint32_t>(*uid);
}

}  // namespace

std::string reserved_id_problem(std::uint32_t id) {
  switch (id) {
    case 0:
      return "0, which is root's";
    case 65534:
      return "65534, which is nobody's";
    case 65535:
      return "65535, which means \"none\" where ids have 16 bits";
    case UINT32_MAX:
      return "4294967295, which means \"no change\"";
    default:
      return "";
  }
}

std::optional<User> read_user_name(const Node& node, std::string_view subject, const Users& users,
                                   Diagnostics& diagnostics) {
  const auto name = read_text(node, subject, diagnostics);
  if (!name) return std::nullopt;
  return find_user(*name, node.position, subject, users, diagnostics);
}

std::optional<Identity> read_identity(const Node& node, std::string_view subject, const Users& users,
                                      Diagnostics& diagnostics) {
  Identity identity;
  if (is_number(node)) {
    const auto uid = read_uid(node, subject, diagnostics);
    if (!uid) return std::nullopt;
    Result<std::optional<User>> found = users.find_uid(*uid);
    if (!found.ok()) {
      diagnostics.add(node.position,
                      std::string(subject) + " cannot be looked up: " + describe(found.error()));
      return std::nullopt;
    }
    identity = {*uid, found.value() ? found.value()->gid : *uid};
  } else {
    const auto user = read_user_name(node, subject, users, diagnostics);
    if (!user) return std::nullopt;
    identity = {user->uid, user->gid};
  }
  if (!is_usable(identity, node.position, subject, diagnostics)) return std::nullopt;
  return identity;
}

std::optional<std::uint32_t> read_admin(const Node& node, std::string_view subject, const Users& users,
                                        Diagnostics& diagnostics) {
  std::optional<std::uint32_t> uid;
  if (is_number(node)) {
    uid = read_uid(node, subject, diagnostics);
  } else if (const auto user = read_user_name(node, subject, users, diagnostics)) {
    uid = user->uid;
  }
  if (!uid || *uid == 0 || reserved_id_problem(*uid).empty()) return uid;
  diagnostics.add(node.position, std::string(subject) + " has the uid " + reserved_id_problem(*uid));
  return std::nullopt;
}

std::optional<Identity> find_default_identity(std::string_view name, std::string_view subject,
                                              Position position, const Users& users,
                                              Diagnostics& diagnostics) {
  const auto user = find_user(std::string(name), position, subject, users, diagnostics);
  if (!user || !is_usable({user->uid, user->gid}, position, subject, diagnostics)) return std::nullopt;
  return Identity{user->uid, user->gid};
}

}  // namespace rowhouse::config
