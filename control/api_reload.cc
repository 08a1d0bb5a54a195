// reload: only for administrators; the supervisor reads the host file again and says what has changed.
#include <nlohmann/json.hpp>

#include "control/api.h"

namespace rowhouse::control {

using nlohmann::ordered_json;

void Api::start_reload(const Call& call) {
  if (!check_method(call, kPostMethod)) return;
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    fail(call.id, {403, "forbidden", "Only administrators may reload the host's configuration.", "", ""});
    return;
  }
  if (!check_parameters(call, {}) || !check_body(call)) return;
  parts_.inquiries.reload([this, id = call.id](const std::optional<ReloadFound>& found) {
    if (found) {
      on_reload_done(id, *found);
    } else {
      fail_unavailable(id);
    }
  });
}

void Api::on_reload_done(ConnectionId id, const ReloadFound& found) {
  if (found.done.outcome == proto::CommandOutcome::kBusy) {
    fail(id, {409, "busy", "The configuration is being read already, or Rowhouse is starting or stopping.",
              "", ""});
    return;
  }
  if (found.done.outcome != proto::CommandOutcome::kDone) {
    std::string detail;
    for (const std::string& sentence : found.sentences) detail += (detail.empty() ? "" : "\n") + sentence;
    fail(id, {422, "failed", "The host file is refused; nothing has changed.", detail, ""});
    return;
  }
  ordered_json changes = ordered_json::array();
  for (const proto::ReloadChange& change : found.changes) {
    ordered_json entry = ordered_json::object();
    if (!change.plan.empty()) entry["plan"] = change.plan.view();
    if (!change.tenant.empty()) entry["tenant"] = change.tenant.view();
    entry["key"] = proto::config_key_name(change.key);
    entry["effect"] = proto::reload_effect_name(change.effect);
    changes.push_back(std::move(entry));
  }
  Answer answer;
  answer.body =
      ordered_json{{"outcome", "done"}, {"changes", changes}, {"changes_total", found.done.changes}}.dump() +
      "\n";
  parts_.server.send(id, answer);
}

}  // namespace rowhouse::control
