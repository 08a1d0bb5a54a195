// Orders that are not waited for: `wait=0` makes any of them an operation with an id.
#include <nlohmann/json.hpp>

#include "control/api.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

using nlohmann::ordered_json;

ordered_json operation_json(const Operation& operation) {
  const bool ended = operation.answer.has_value();
  const bool good = ended && operation.answer->status < 300;
  ordered_json json{{"id", operation.id},
                    {"state", !ended ? "running" : good ? "done" : "failed"},
                    {"method", operation.method},
                    {"path", operation.path},
                    {"begun_at", format_rfc3339(operation.begun_ms)},
                    {"ended_at", nullptr},
                    {"status", nullptr},
                    {"result", nullptr}};
  if (!ended) return json;
  json["ended_at"] = format_rfc3339(operation.ended_ms);
  json["status"] = operation.answer->status;
  json["result"] = ordered_json::parse(operation.answer->body, nullptr, false);
  return json;
}

std::string path_of(const Target& target) {
  std::string path;
  for (const std::string& segment : target.segments) path += "/" + segment;
  return path;
}

}  // namespace

void Api::start_operation(const Call& call) {
  if (!operations_.has_room(call.uid)) {
    return fail(call.id, {503, "busy", "You have 64 operations under way already.", "", ""});
  }
  const Operations::Key key = operations_.begin(call.uid, call.request.method, path_of(call.target));
  parts_.chronicle.audit().rename(call.id, key);
  route({key, call.uid, call.request, call.target});
  // What could be answered at once is no operation.
  if (const auto early = operations_.take(key)) return send(call.id, *early);
  send_json(call.id, 202, {{"op", operation_json(*operations_.find(key))}});
}

void Api::answer_operation(const Call& call, const std::string& op) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {"wait"}) || !check_body(call)) return;
  const auto waits = take_flag(call, "wait");
  if (!waits) return;
  const Operation* operation = operations_.find(op);
  const bool visible = operation != nullptr && (operation->uid == call.uid || parts_.registry.role_of(call.uid) == Role::kAdmin);
  if (!visible) return fail_not_found(call.id, op);
  if (*waits && !operation->answer) return operations_.wait(op, call.id);
  send_json(call.id, 200, {{"op", operation_json(*operation)}});
}

void Api::on_operation_end(ConnectionId waiting, const Operation& operation) {
  send_json(waiting, 200, {{"op", operation_json(operation)}});
}

void Api::send(ConnectionId id, const Answer& answer) {
  parts_.chronicle.audit().end(id, answer);
  if (Operations::is_key(id)) return operations_.finish(id, answer);
  parts_.server.send(id, answer);
}

void Api::send_json(ConnectionId id, int status, const ordered_json& body) {
  Answer answer;
  answer.status = status;
  answer.body = body.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
  send(id, answer);
}

}  // namespace rowhouse::control
