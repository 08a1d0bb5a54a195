#include "control/chronicle.h"

#include <utility>

#include "control/ending_text.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

std::string_view event_type(proto::NoticeKind kind) {
  switch (kind) {
    case proto::NoticeKind::kStarting: return "starting";
    case proto::NoticeKind::kReady: return "ready";
    case proto::NoticeKind::kRestarting: return "restarting";
    case proto::NoticeKind::kStopped: return "stopped";
    case proto::NoticeKind::kBackoff: return "backoff";
    case proto::NoticeKind::kScaled: return "scaled";
    case proto::NoticeKind::kSuspended: return "suspended";
    case proto::NoticeKind::kUnsuspended: return "unsuspended";
    case proto::NoticeKind::kTouched: return "touched";
    case proto::NoticeKind::kDegraded: return "degraded";
  }
  return "unknown";
}

Json ending_json(const proto::Ending& ending, std::string_view last_line) {
  return {{"code", proto::cause_name(ending.cause)}, {"detail", ending_detail(ending, last_line)}};
}

}  // namespace

Chronicle::Chronicle(uv_loop_t* loop, const Clock& clock, EventListener& listener, Stories::StoredCallback on_stored)
    : on_stored_(std::move(on_stored)),
      stories_(loop, clock, on_stored_),
      errors_(loop),
      events_(clock, listener), audit_(clock) {}

void Chronicle::open(const LogDirectory& directory) {
  stories_.open(directory);
  errors_.open(directory);
  events_.open(directory);
  audit_.open(directory);
}

void Chronicle::close() {
  stories_.write_all_now();
  errors_.write_all_now();
}

// A planned ending is no story; its event is what is kept of it.
void Chronicle::add_death(const AppName& app, const proto::Death& death, LogBook& book) {
  const bool planned = is_planned_ending(death.cause);
  if (!planned && stories_.is_known(app, death)) return;
  if (planned && is_told(app, death)) return on_stored_({death.app, death.generation, death.worker, death.at_ms});
  book.add_death(app, death);
  std::vector<std::string> lines;
  if (!planned) lines = book.last_lines(app, {death.app, death.generation, death.worker});
  add_death_events(app, death, lines.empty() ? "" : lines.back());
  if (planned) {
    on_stored_({death.app, death.generation, death.worker, death.at_ms});
  } else {
    stories_.add_death(app, death, std::move(lines));
  }
}

bool Chronicle::is_told(const AppName& app, const proto::Death& death) const {
  const std::string at = format_rfc3339(death.at_ms);
  const auto is_same = [&](const Event& event) {
    if (event.type != "ended" || event.tenant != app.tenant || event.app != app.app) return false;
    const Json json = parse_object(event.json);
    return text_of(json, "at") == at && number_of(json, "generation") == death.generation &&
           number_of(json, "worker") == death.worker;
  };
  return !events_.read(0, 1, is_same).events.empty();
}

void Chronicle::add_death_events(const AppName& app, const proto::Death& death, std::string_view last_line) {
  Json fields = ending_json({death.cause, death.argument, death.limits, {}}, last_line);
  fields["generation"] = death.generation;
  fields["worker"] = death.worker;
  if (death.process.pid != 0) fields["pid"] = death.process.pid;
  events_.add(is_planned_ending(death.cause) ? "ended" : "died", app, std::move(fields), death.at_ms);
  if (death.limits.memory_owner != proto::LimitOwner::kNone) {
    const bool own = death.limits.memory_owner == proto::LimitOwner::kApp;
    events_.add("limit_hit", app,
                {{"limit", "memory"}, {"limit_of", own ? "app" : "plan"}, {"value", death.limits.memory_limit_bytes}},
                death.at_ms);
  }
  if (death.limits.forks_refused > 0) {
    events_.add("limit_hit", app,
                {{"limit", "pids"}, {"value", death.limits.pids_limit}, {"refused", death.limits.forks_refused}},
                death.at_ms);
  }
}

void Chronicle::add_host_death(const proto::HostDeath& death) {
  const bool gateway = death.process == proto::HostProcess::kGateway;
  const std::string type = gateway ? "gateway_died" : "control_died";
  const std::string at = format_rfc3339(death.at_ms);
  const auto is_same = [&](const Event& event) {
    if (event.type != type) return false;
    const Json json = parse_object(event.json);
    return text_of(json, "at") == at && number_of(json, "pid") == death.pid;
  };
  if (events_.read(0, 1, is_same).events.empty()) {
    Json fields = ending_json({death.cause, death.argument, {}, {}}, "");
    if (gateway) fields["gateway"] = death.number;
    fields["pid"] = death.pid;
    events_.add(type, {}, std::move(fields), death.at_ms);
  }
  on_stored_({0, static_cast<std::uint32_t>(death.process), death.number, death.at_ms});
}

void Chronicle::add_notice(const AppName& app, const proto::AppNotice& notice, const std::string& suspension) {
  Json fields{{"generation", notice.generation}};
  if (notice.kind == proto::NoticeKind::kBackoff) fields["retry_in_ms"] = notice.number;
  if (notice.kind == proto::NoticeKind::kScaled) fields["workers"] = notice.number;
  if (notice.kind == proto::NoticeKind::kDegraded) {
    fields["code"] = proto::cause_name(static_cast<proto::Cause>(notice.number));
    fields["detail"] = "";
  }
  if (notice.kind == proto::NoticeKind::kSuspended) fields["reason"] = suspension;
  events_.add(event_type(notice.kind), app, std::move(fields), notice.at_ms);
  if (notice.kind == proto::NoticeKind::kReady) stories_.add_start(app, notice.generation, notice.at_ms);
}

void Chronicle::add_problem(const std::string& tenant, const std::vector<std::string>& sentences) {
  const std::string detail = sentences.empty() ? "" : sentences.front().substr(0, EventLog::kMaxTextBytes);
  // A fresh control process is told again what stands already.
  const auto is_of_config = [&](const Event& event) {
    return event.tenant == tenant && event.type.starts_with("config_");
  };
  const auto before = events_.read(0, EventLog::kMaxEvents, is_of_config).events;
  const std::string known = before.empty() ? "" : text_of(parse_object(before.back()->json), "detail");
  if (known == detail) return;
  if (sentences.empty()) {
    events_.add("config_accepted", {tenant, ""}, Json::object());
  } else {
    events_.add("config_refused", {tenant, ""}, {{"detail", detail}});
  }
}

void Chronicle::add_order(const AppName& app, std::string_view order, std::uint32_t uid) {
  events_.add("ordered", app, {{"order", order}, {"uid", uid}});
}

void Chronicle::add_outcome(const AppName& app, proto::CommandKind kind, const proto::CommandDone& done,
                            std::string_view detail) {
  if (done.outcome != proto::CommandOutcome::kFailed) return;
  const bool serves = kind == proto::CommandKind::kRestart && done.generation != 0;
  events_.add(serves ? "degraded" : "order_failed", app,
              {{"generation", done.generation}, {"code", proto::cause_name(done.cause)}, {"detail", detail}});
}

void Chronicle::add_reload(std::uint32_t changes) {
  events_.add("reloaded", {}, {{"changes", changes}});
}

void Chronicle::add_tenant_order(const std::string& tenant, std::string_view order, std::uint32_t uid) {
  events_.add("tenant_ordered", {tenant, ""}, {{"order", order}, {"uid", uid}});
}

// An event of the host: the tenant is no more, and another one may get its name.
void Chronicle::add_removal(const std::string& tenant, std::uint32_t uid, Purged purged) {
  events_.add("tenant_removed", {}, {{"name", tenant}, {"uid", uid}, {"purged", purged == Purged::kYes}});
}

void Chronicle::forget_tenant(const std::string& tenant) {
  stories_.write_all_now();
  errors_.forget(tenant);
  events_.forget(tenant);
}

void Chronicle::on_failed_request(const AppName& app, const proto::AccessRecord& record) {
  errors_.add(app, record);
}

void Chronicle::on_running_request(const AppName& app, const proto::RunningRecord& record) {
  stories_.add_running(app, record);
}

}  // namespace rowhouse::control
