#include "cli/hooks_command.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/report.h"
#include "cli/table.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

std::string words_at(const json& hook, const char* name, const char* none) {
  std::string words;
  const auto found = hook.is_object() ? hook.find(name) : hook.end();
  if (!hook.is_object() || found == hook.end() || !found->is_array()) return none;
  for (const json& word : *found) {
    if (word.is_string()) words += (words.empty() ? "" : " ") + terminal_safe(word.get_ref<const std::string&>());
  }
  return words.empty() ? none : words;
}

std::string body_of(const HookOptions& options) {
  json body = json::object();
  if (!options.url.empty()) body["url"] = options.url;
  if (!options.program.empty()) body["exec"] = options.program;
  if (!options.types.empty()) body["types"] = options.types;
  if (!options.tenants.empty()) body["tenants"] = options.tenants;
  return body.dump(-1, ' ', true, json::error_handler_t::replace);
}

Reply ask(const Invocation& invocation) {
  const HookOptions& options = invocation.hooks;
  const ApiClient client(invocation.socket);
  const std::string path = "/v1/hooks/" + options.name;
  switch (options.action) {
    case HookOptions::Action::kList: return client.get("/v1/hooks");
    case HookOptions::Action::kSet: return client.order(ApiClient::Method::kPut, path, body_of(options));
    case HookOptions::Action::kRemove: return client.order(ApiClient::Method::kDelete, path, "");
  }
  return {};
}

}  // namespace

std::string render_hooks(const json& answer, const Terminal& terminal) {
  Table table({{"HOOK", Align::kLeft},
               {"TYPES", Align::kLeft},
               {"TENANTS", Align::kLeft},
               {"DELIVERED", Align::kRight},
               {"FAILURES", Align::kRight},
               {"RECEIVER", Align::kLeft}});
  const json hooks = answer.is_object() && answer.contains("hooks") ? answer["hooks"] : json::array();
  if (!hooks.is_array() || hooks.empty()) return "No hooks.\n";
  for (const json& hook : hooks) {
    std::string receiver = text_at(hook, "url");
    if (receiver.empty()) receiver = words_at(hook, "exec", "-");
    if (const std::string problem = text_at(hook, "problem"); !problem.empty()) receiver += " (" + problem + ")";
    table.add_row({{text_at(hook, "name")},
                   {words_at(hook, "types", "all")},
                   {words_at(hook, "tenants", "all")},
                   {std::to_string(number_at(hook, "delivered"))},
                   {std::to_string(number_at(hook, "failures"))},
                   {receiver}});
  }
  return table.render(terminal);
}

ExitCode run_hooks(const Invocation& invocation) {
  const Reply reply = ask(invocation);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  print(render_hooks(json::parse(reply.body, nullptr, false), look_at_terminal()));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
