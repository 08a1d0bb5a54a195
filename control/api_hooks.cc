// Hooks: read, set and removed by administrators.
#include <utility>

#include "base/printable.h"
#include "control/api.h"

namespace rowhouse::control {

void Api::route_hooks(const Call& call) {
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    return fail(call.id, {403, "forbidden", "Only administrators have hooks.", "", ""});
  }
  const std::vector<std::string>& path = call.target.segments;
  const bool one = path.size() == 3;
  const bool sets = one && call.request.method == "PUT";
  if (one && !sets && call.request.method != "DELETE") {
    Answer answer = error_answer({405, "method_not_allowed", "Allowed here: PUT, DELETE.", "", ""});
    answer.allow = "PUT, DELETE";
    return send(call.id, answer);
  }
  if (!one && !check_method(call, kReadMethods)) return;
  if (!check_parameters(call, {})) return;
  if (one && !is_name(path[2])) return fail_not_found(call.id, "This hook");
  if (sets) return set_hook(call, path[2]);
  if (!check_body(call)) return;
  if (one && !parts_.hooks.has(path[2])) return fail_not_found(call.id, "This hook");
  if (one && !parts_.hooks.remove(path[2]).ok()) return fail_hook_write(call.id);
  answer_hooks(call.id);
}

void Api::set_hook(const Call& call, const std::string& name) {
  ParsedJson parsed = parse_json(call.request.body);
  std::optional<JsonProblem> problem = parsed.problem;
  std::variant<Hook, JsonProblem> hook;
  if (!problem) {
    hook = parse_hook(name, parsed.value);
    if (const auto* found = std::get_if<JsonProblem>(&hook)) problem = *found;
  }
  if (problem) {
    return fail(call.id, {400, "bad_request", "The body is refused: " + terminal_safe(problem->message) + ".", "",
                          terminal_safe(problem->pointer)});
  }
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
  const nlohmann::ordered_json json{{"hooks", parts_.hooks.list()}};
  Answer answer;
  answer.body = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  send(id, answer);
}

}  // namespace rowhouse::control
