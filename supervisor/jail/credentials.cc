#include "supervisor/jail/credentials.h"

#include <algorithm>
#include <string>

namespace rowhouse::jail {
namespace {

// The line `key` has exactly the value `value`.
bool has_line(std::string_view status, std::string_view key, std::string_view value) {
  const std::string wanted = std::string(key) + ":\t" + std::string(value) + "\n";
  const std::size_t at = status.find(wanted);
  return at != status.npos && (at == 0 || status[at - 1] == '\n');
}

std::string four_times(std::uint32_t id) {
  const std::string text = std::to_string(id);
  return text + "\t" + text + "\t" + text + "\t" + text;
}

}  // namespace

bool shows_bare_identity(std::string_view status, std::uint32_t uid, std::uint32_t gid) {
  constexpr std::string_view kEmptySet = "0000000000000000";
  const bool no_groups = has_line(status, "Groups", " ") || has_line(status, "Groups", "");
  bool no_capabilities = true;
  for (const std::string_view set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    no_capabilities = no_capabilities && has_line(status, set, kEmptySet);
  }
  return has_line(status, "Uid", four_times(uid)) && has_line(status, "Gid", four_times(gid)) && no_groups &&
         no_capabilities;
}

}  // namespace rowhouse::jail
