// A hook: where events are brought, and which.  Pure.
//
// Hooks are an administrator's own: no tenant can make, see or change one, and their addresses are of this host alone.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "control/event_log.h"
#include "control/json_strict.h"

namespace rowhouse::control {

// POST to a port of loopback, or to a UNIX socket.
struct HookUrl {
  std::string socket;      // absolute path of a UNIX socket; empty: the port
  std::uint16_t port = 0;  // of 127.0.0.1
  std::string target = "/";
};
// A program, run as the user of rowhouse-control with the events on its standard input.
struct HookProgram {
  std::vector<std::string> arguments;  // the first one is an absolute path
};

struct Hook {
  std::string name;
  std::variant<HookUrl, HookProgram> receiver;
  std::set<std::string> types;    // of events; empty: all
  std::set<std::string> tenants;  // empty: all, and the host's own
  std::uint64_t delivered = 0;    // the number of the last event that was taken, or is not for this hook
};

inline constexpr std::size_t kMaxHooks = 16;
inline constexpr std::size_t kMaxHookArguments = 16;
inline constexpr std::size_t kMaxHookTextBytes = 1024;
inline constexpr std::size_t kMaxHookFilters = 256;

// The body of PUT /v1/hooks/NAME: {"url": ...} or {"exec": [...]}, and "types", "tenants".
[[nodiscard]] std::variant<Hook, JsonProblem> parse_hook(const std::string& name, const nlohmann::json& body);
// "http://127.0.0.1:8080/path", "http://localhost:8080/path", "unix:/run/panel.sock" or "unix:/run/panel.sock:/path".
[[nodiscard]] std::optional<HookUrl> parse_hook_url(std::string_view text);
[[nodiscard]] nlohmann::ordered_json hook_json(const Hook& hook);

[[nodiscard]] bool is_for_hook(const Hook& hook, const Event& event);
// What a hook gets: {"hook", "events": [...], "forgotten_until"}.
[[nodiscard]] std::string hook_body(const Hook& hook, const std::vector<const Event*>& events,
                                    std::uint64_t forgotten_until);

}  // namespace rowhouse::control
