// upgrade: only for administrators; the programs on disk take the place of those that run.
#include <cstring>
#include <nlohmann/json.hpp>

#include "control/api.h"

namespace rowhouse::control {
namespace {

using nlohmann::ordered_json;
using proto::UpgradeOutcome;

// Why it failed, as a sentence.
std::string reason_of(const proto::UpgradeDone& done) {
  switch (done.outcome) {
    case UpgradeOutcome::kDone: return "";
    case UpgradeOutcome::kCannotOpen:
      return std::string("The program on disk cannot be started: ") + std::strerror(done.argument) +
             ". It must belong to root, be executable, and be writable by nobody else.";
    case UpgradeOutcome::kEnded:
      if (done.argument < 0) return "The new supervisor was ended by signal " + std::to_string(-done.argument) + ".";
      return "The new supervisor ended with status " + std::to_string(done.argument) + " instead of taking over.";
    case UpgradeOutcome::kTooLate:
      return "The new supervisor did not take over within " + std::to_string(proto::kAdoptionSeconds) + " s.";
    case UpgradeOutcome::kBusy: return "Another upgrade is under way.";
    case UpgradeOutcome::kGatewayFailed: return "A new gateway did not come up.";
  }
  return "";
}

}  // namespace

void Api::start_upgrade(const Call& call) {
  if (!check_method(call, kPostMethod)) return;
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    fail(call.id, {403, "forbidden", "Only administrators may upgrade Rowhouse.", "", ""});
    return;
  }
  if (!check_parameters(call, {}) || !check_body(call)) return;
  parts_.inquiries.upgrade([this, id = call.id](const std::optional<proto::UpgradeDone>& done) {
    if (done) {
      on_upgrade_done(id, *done);
    } else {
      fail_unavailable(id);
    }
  });
}

void Api::on_upgrade_done(ConnectionId id, const proto::UpgradeDone& done) {
  if (done.outcome == UpgradeOutcome::kBusy) {
    fail(id, {409, "busy", reason_of(done), "", ""});
    return;
  }
  if (done.outcome == UpgradeOutcome::kGatewayFailed) {
    fail(id, {422, "failed", "The supervisor is the new one, the gateways are the former ones.", reason_of(done), ""});
    return;
  }
  if (done.outcome != UpgradeOutcome::kDone) {
    fail(id, {422, "failed", "The upgrade failed; the former program runs on.", reason_of(done), ""});
    return;
  }
  Answer answer;
  answer.body = ordered_json{{"outcome", "done"}}.dump() + "\n";
  send(id, answer);
}

}  // namespace rowhouse::control
