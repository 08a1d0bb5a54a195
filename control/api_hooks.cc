// Hooks: read, set and removed by administrators.
#include <utility>

#include "control/api.h"

namespace rowhouse::control {
namespace {

constexpr std::string_view kHookMethods = "PUT, DELETE";

}  // namespace

void Api::route_hooks(const Call& call) {
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    return fail(call.id, {403, "forbidden", "Only administrators have hooks.", "", ""});
  }
  const std::vector<std::string>& path = call.target.segments;
  const bool one = path.size() == 3;
  if (!check_method(call, one ? kHookMethods : kReadMethods) || !check_parameters(call, {})) return;
  if (one && !is_name(path[2])) return fail_not_found(call.id, "This hook");
  if (call.request.method == "PUT") return set_hook(call, path[2]);
  if (!check_body(call)) return;
  if (one && !parts_.hooks.has(path[2])) return fail_not_found(call.id, "This hook");
  if (one && !parts_.hooks.remove(path[2]).ok()) return fail_hook_write(call.id);
  answer_hooks(call.id);
}

void Api::set_hook(const Call& call, const std::string& name) {
  const auto body = take_json(call);
  if (!body) return;
  auto hook = parse_hook(name, *body);
  if (const auto* problem = std::get_if<JsonProblem>(&hook)) return fail_body(call.id, *problem);
  if (!parts_.hooks.has(name) && parts_.hooks.size() >= kMaxHooks) {
    return fail(call.id, {409, "conflict", "There are 16 hooks already.", "", ""});
  }
  if (!parts_.hooks.set(std::get<Hook>(std::move(hook))).ok()) return fail_hook_write(call.id);
  answer_hooks(call.id);
}

void Api::fail_hook_write(ConnectionId id) {
  fail(id, {503, "unavailable", "The hooks cannot be written down; nothing has changed.", "", ""});
}

void Api::answer_hooks(ConnectionId id) {
  send_json(id, 200, {{"hooks", parts_.hooks.list()}});
}

}  // namespace rowhouse::control
