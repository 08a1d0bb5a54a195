#include "control/explain.h"

#include <algorithm>

#include "control/advice.h"
#include "control/ending_text.h"

namespace rowhouse::control {
namespace {

using proto::AppState;
using proto::Cause;

Json refused(Cause cause, std::uint32_t retry_after_s) {
  Json visitors{{"served", false}, {"status", 503}, {"code", proto::cause_name(cause)}};
  if (retry_after_s != 0) visitors["retry_after_s"] = retry_after_s;
  return visitors;
}

// What somebody who asks the app for a page gets now.
Json visitors_of(const proto::AppInfo& info) {
  switch (info.state) {
    case AppState::kRunning:
    case AppState::kDegraded:
    case AppState::kRestarting: return {{"served", true}};
    case AppState::kStarting:
    case AppState::kIdle: return {{"served", true}, {"after_start", true}};
    case AppState::kBackoff:
    case AppState::kFailed: return refused(Cause::kBackoff, std::max(1u, (info.retry_in_ms + 999) / 1000));
    case AppState::kStopped: return refused(Cause::kStopped, 0);
    case AppState::kSuspended: return refused(Cause::kSuspended, 0);
  }
  return nullptr;
}

Cause cause_of(const Json& json) {
  const std::uint64_t number = number_of(json, "cause");
  return number <= 0xffff && proto::is_cause(static_cast<std::uint16_t>(number)) ? static_cast<Cause>(number)
                                                                                 : Cause::kNone;
}

// A stored death as it is shown: with the sentence and the advice of its cause, without what is for us.
Json shown_death(Json death, const AppName& app) {
  const Cause cause = cause_of(death);
  death["message"] = cause_sentence(cause);
  death["fix"] = advice_for(cause, app, text_of(death, "step"), text_of(death, "exception"));
  for (const char* own : {"kind", "key", "cause"}) death.erase(own);
  return death;
}

std::uint64_t ready_workers(const AppStatus& status) {
  return static_cast<std::uint64_t>(std::count_if(status.workers.begin(), status.workers.end(), [](const auto& worker) {
    return worker.state == proto::WorkerState::kReady;
  }));
}

void add_state(Json& json, const AppStatus* status) {
  if (status == nullptr) {
    json["state"] = nullptr;
    return;
  }
  const proto::AppInfo& info = status->info;
  json["state"] = proto::app_state_name(info.state);
  json["generation"] = info.generation;
  json["workers_ready"] = ready_workers(*status);
  json["workers_min"] = info.workers_min;
  json["restarts"] = info.restarts;
  json["retry_in_ms"] = info.retry_in_ms;
  json["visitors"] = visitors_of(info);
}

}  // namespace

Json explain_app(const ExplainFacts& facts, std::size_t deaths) {
  Json json{{"tenant", facts.app.tenant}, {"app", facts.app.app}};
  add_state(json, facts.status);
  json["suspended"] = facts.suspension == nullptr ? Json() : Json{{"reason", *facts.suspension}};
  const auto& start = facts.history.last_start;
  json["last_good_start"] = start ? Json{{"at", start->at}, {"generation", start->generation}} : Json();
  Json shown = Json::array();
  for (const Json& death : facts.history.deaths) {
    if (shown.size() < deaths) shown.push_back(shown_death(death, facts.app));
  }
  json["deaths_known"] = facts.history.deaths.size();
  json["deaths"] = std::move(shown);
  Json events = Json::array();
  for (const std::string* event : facts.events) events.push_back(parse_object(*event));
  json["events"] = std::move(events);
  Json errors = Json::array();
  for (const Problem& problem : facts.problems) errors.push_back(problem.message);
  json["errors"] = std::move(errors);
  return json;
}

Json explain_error(Json error, const AppName& app, Json death) {
  const Cause cause = cause_of(error);
  error.erase("cause");
  error["message"] = cause_sentence(cause);
  error["fix"] = app.app.empty() ? std::string() : advice_for(cause, app, "", "");
  Json json{{"error", std::move(error)}};
  json["death"] = death.is_null() ? Json() : shown_death(std::move(death), app);
  return json;
}

}  // namespace rowhouse::control
