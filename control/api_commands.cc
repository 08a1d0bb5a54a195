// start, stop, restart and stacks: look the app up, hand the command to the supervisor, wait for its outcome.
#include <nlohmann/json.hpp>

#include "control/api.h"
#include "control/ending_text.h"

namespace rowhouse::control {

namespace {

std::string_view command_word(proto::CommandKind kind) {
  switch (kind) {
    case proto::CommandKind::kStart: return "start";
    case proto::CommandKind::kStop: return "stop";
    case proto::CommandKind::kRestart:
    case proto::CommandKind::kRestartHard: return "restart";
    case proto::CommandKind::kStacks: return "stacks";
  }
  return "unknown";
}

}  // namespace

void Api::start_command(const Call& call, const AppName& app, proto::CommandKind kind) {
  const bool may_be_hard = kind == proto::CommandKind::kRestart;
  const bool known = may_be_hard ? check_parameters(call, {"hard"}) : check_parameters(call, {});
  if (!known || !check_body(call)) return;
  const std::string hard = call.target.parameter("hard");
  if (!hard.empty() && hard != "0" && hard != "1") {
    fail(call.id, {400, "bad_request", "hard must be 0 or 1.", "", ""});
    return;
  }
  if (hard == "1") kind = proto::CommandKind::kRestartHard;
  find_app(call.id, app,
           [this, id = call.id, uid = call.uid, app, kind](std::uint32_t number) {
             parts_.chronicle.add_order(app, command_word(kind), uid);
             on_command_app(id, app, kind, number);
           });
}

void Api::on_command_app(ConnectionId id, const AppName& app, proto::CommandKind kind, std::uint32_t number) {
  parts_.inquiries.command(number, kind, [this, id, app, kind, number](const auto& done) {
    if (done) {
      on_command_done(id, app, kind, number, *done);
    } else {
      fail(id, {504, "timeout", "The outcome is not known yet; see status.", "", ""});
    }
  });
}

void Api::on_command_done(ConnectionId id, const AppName& app, proto::CommandKind kind, std::uint32_t number,
                          const proto::CommandDone& done) {
  Answer answer;
  switch (done.outcome) {
    case proto::CommandOutcome::kDone:
      answer.body =
          nlohmann::ordered_json{{"outcome", "done"}, {"generation", done.generation}}.dump() + "\n";
      send(id, answer);
      return;
    case proto::CommandOutcome::kNotFound: fail_not_found(id, app.text()); return;
    case proto::CommandOutcome::kBusy:
      fail(id, {409, "busy", "Another command for " + app.text() + " is under way.", "", ""});
      return;
    case proto::CommandOutcome::kConflict:
      fail(id, {409, "conflict", "This is not possible in the present state of " + app.text() + ".", "", ""});
      return;
    case proto::CommandOutcome::kSuspended: fail_suspended(id, app); return;
    case proto::CommandOutcome::kFailed: break;
  }
  const std::string failure = failure_detail(app, number, done);
  parts_.chronicle.add_outcome(app, kind, done, failure);
  const std::string detail = code_and_detail(done.cause, failure);
  std::string message = app.text() + ": generation " + std::to_string(done.generation) +
                        " failed; what served before still serves.";
  if (done.generation == 0) message = app.text() + ": the command failed.";
  fail(id, {422, "failed", message, detail, ""});
}

void Api::fail_suspended(ConnectionId id, const AppName& app) {
  const std::string* reason = parts_.registry.suspension_of(app);
  std::string message = app.text() + " is suspended";
  if (reason != nullptr && !reason->empty()) message += " (" + *reason + ")";
  message += ": it cannot be started until the operator of this host lifts that.";
  fail(id, {409, "suspended", message, "", ""});
}

// What explains a failed command: the worker's last line, or what was wrong with the configuration.
std::string Api::failure_detail(const AppName& app, std::uint32_t number, const proto::CommandDone& done) {
  if (done.cause != proto::Cause::kConfig) {
    const std::string words = parts_.book.last_words(app, {number, done.generation, done.worker});
    return ending_detail({done.cause, done.argument, done.limits, {}}, words);
  }
  std::string sentences;
  for (const Problem& problem : parts_.registry.problems_of(app.tenant)) {
    sentences += (sentences.empty() ? "" : "; ") + problem.message;
  }
  return sentences;
}

}  // namespace rowhouse::control
