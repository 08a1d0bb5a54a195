#include "control/hook.h"

#include <charconv>

namespace rowhouse::control {
namespace {

using nlohmann::json;

// Bytes that end or split a request line are in no path of ours.
bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f) return false;
  }
  return !text.empty() && text.size() <= kMaxHookTextBytes;
}

// The length of a path that a socket address can hold.
constexpr std::size_t kMaxSocketPathBytes = 107;

std::optional<JsonProblem> take_words(const json& body, const char* field, std::set<std::string>& words) {
  const auto found = body.find(field);
  const std::string pointer = std::string("/") + field;
  if (found == body.end()) return std::nullopt;
  if (!found->is_array() || found->size() > kMaxHookFilters) return JsonProblem{pointer, "must be a list of at most 256 names"};
  for (const json& each : *found) {
    if (!each.is_string() || !is_plain(each.get_ref<const std::string&>())) return JsonProblem{pointer, "must have names only"};
    words.insert(each.get<std::string>());
  }
  return std::nullopt;
}

std::optional<JsonProblem> take_program(const json& command, HookProgram& program) {
  if (!command.is_array() || command.empty() || command.size() > kMaxHookArguments) {
    return JsonProblem{"/exec", "must be a list of a program and at most 15 arguments"};
  }
  for (const json& each : command) {
    if (!each.is_string() || each.get_ref<const std::string&>().size() > kMaxHookTextBytes) {
      return JsonProblem{"/exec", "must have texts of at most 1024 bytes"};
    }
    program.arguments.push_back(each.get<std::string>());
  }
  if (program.arguments[0][0] != '/') return JsonProblem{"/exec", "must begin with an absolute path"};
  return std::nullopt;
}

}  // namespace

std::optional<HookUrl> parse_hook_url(std::string_view text) {
  HookUrl url;
  if (!is_plain(text)) return std::nullopt;
  if (text.starts_with("unix:/")) {
    const std::string_view rest = text.substr(5);
    const std::size_t colon = rest.find(':');
    url.socket = std::string(rest.substr(0, colon));
    if (colon != std::string_view::npos) url.target = std::string(rest.substr(colon + 1));
    if (url.socket.size() > kMaxSocketPathBytes || url.target.empty() || url.target[0] != '/') return std::nullopt;
    return url;
  }
  for (const std::string_view scheme : {"http://127.0.0.1:", "http://localhost:"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), url.port);
    if (error != std::errc{} || url.port == 0) return std::nullopt;
    const std::string_view target = rest.substr(static_cast<std::size_t>(end - rest.data()));
    if (!target.empty() && target[0] != '/') return std::nullopt;
    if (!target.empty()) url.target = std::string(target);
    return url;
  }
  return std::nullopt;
}

std::variant<Hook, JsonProblem> parse_hook(const std::string& name, const json& body) {
  Hook hook;
  hook.name = name;
  if (auto problem = check_fields(body, {"url", "exec", "types", "tenants"})) return *problem;
  const auto url = body.find("url"), command = body.find("exec");
  if ((url == body.end()) == (command == body.end())) return JsonProblem{"", "must have either url or exec"};
  if (url != body.end()) {
    const auto parsed = url->is_string() ? parse_hook_url(url->get_ref<const std::string&>()) : std::nullopt;
    if (!parsed) {
      return JsonProblem{"/url", "must be http://127.0.0.1:PORT/PATH or unix:/SOCKET:/PATH"};
    }
    hook.receiver = *parsed;
  } else {
    HookProgram program;
    if (auto problem = take_program(*command, program)) return *problem;
    hook.receiver = std::move(program);
  }
  if (auto problem = take_words(body, "types", hook.types)) return *problem;
  if (auto problem = take_words(body, "tenants", hook.tenants)) return *problem;
  return hook;
}

nlohmann::ordered_json hook_json(const Hook& hook) {
  nlohmann::ordered_json json{{"name", hook.name}};
  if (const auto* url = std::get_if<HookUrl>(&hook.receiver)) {
    json["url"] = url->socket.empty() ? "http://127.0.0.1:" + std::to_string(url->port) + url->target
                                      : "unix:" + url->socket + ":" + url->target;
  } else {
    json["exec"] = std::get<HookProgram>(hook.receiver).arguments;
  }
  json["types"] = hook.types;
  json["tenants"] = hook.tenants;
  json["delivered"] = hook.delivered;
  return json;
}

bool is_for_hook(const Hook& hook, const Event& event) {
  return (hook.types.empty() || hook.types.contains(event.type)) &&
         (hook.tenants.empty() || hook.tenants.contains(event.tenant));
}

std::string hook_body(const Hook& hook, const std::vector<const Event*>& events, std::uint64_t forgotten_until) {
  std::string body = "{\"hook\":\"" + hook.name + "\",\"forgotten_until\":" + std::to_string(forgotten_until) + ",\"events\":[";
  for (std::size_t i = 0; i < events.size(); ++i) body.append(i == 0 ? "" : ",").append(events[i]->json);
  return body + "]}\n";
}

}  // namespace rowhouse::control
