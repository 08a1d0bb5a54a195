// The events: pages of them by number, and, if the caller wants to follow, each new one.
#include <utility>

#include "control/api.h"
#include "control/numbers.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kDefaultEvents = 100;
constexpr std::size_t kMaxPage = 1000;
constexpr const char* kStreamType = "text/event-stream";

}  // namespace

void Api::start_events(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_body(call) ||
      !check_parameters(call, {"since", "limit", "last", "tenant", "app", "follow"})) {
    return;
  }
  const auto wanted = parse_event_request(call);
  if (!wanted) return;
  const EventScope& scope = wanted->scope;
  const bool names_ok = scope.app.empty() || is_name(scope.app);
  if (!scope.tenant.empty() && (!names_ok || !parts_.registry.may_see(call.uid, scope.tenant))) {
    fail_not_found(call.id, scope.app.empty() ? scope.tenant : scope.tenant + "/" + scope.app);
    return;
  }
  if (!check_unsent(call.id, call.uid)) return;
  if (wanted->follow && call.request.method != "HEAD") {
    follow_events(call, *wanted);
  } else {
    answer_events(call, *wanted);
  }
}

std::optional<Api::EventRequest> Api::parse_event_request(const Call& call) {
  const Target& target = call.target;
  const std::string follow = target.parameter("follow"), last = target.parameter("last");
  const bool has_since = !target.parameter("since").empty();
  const auto since = parse_number(target.parameter("since"), 0);
  const auto limit = parse_number(target.parameter("limit"), kDefaultEvents);
  const auto newest = parse_number(last, 0);
  const char* mistake = nullptr;
  if (!since) mistake = "since must be the number of an event, or 0.";
  if (!limit || *limit < 1 || *limit > kMaxPage) mistake = "limit must be a number from 1 to 1000.";
  if (!newest || *newest > kMaxPage) mistake = "last must be a number from 0 to 1000.";
  if (!last.empty() && has_since) mistake = "last and since exclude each other.";
  if (!follow.empty() && follow != "0" && follow != "1") mistake = "follow must be 0 or 1.";
  if (target.parameter("tenant").empty() && !target.parameter("app").empty()) mistake = "app needs tenant beside it.";
  if (mistake != nullptr) {
    fail(call.id, {400, "bad_request", mistake, "", ""});
    return std::nullopt;
  }
  EventRequest wanted;
  wanted.scope = {call.uid, target.parameter("tenant"), target.parameter("app")};
  wanted.since = *since;
  wanted.limit = *limit;
  wanted.follow = follow == "1";
  if (!last.empty()) wanted.last = *newest;
  if (wanted.follow && !has_since && last.empty()) wanted.last = 0;
  return wanted;
}

EventLog::Page Api::read_events(const EventRequest& wanted, std::size_t limit) const {
  const EventLog& events = parts_.chronicle.events();
  const auto is_wanted = [&](const Event& event) { return may_see_event(parts_.registry, wanted.scope, event); };
  if (!wanted.last) return events.read(wanted.since, limit, is_wanted);
  EventLog::Page page = events.read(0, EventLog::kMaxEvents, is_wanted);
  if (page.events.size() > *wanted.last) {
    page.events.erase(page.events.begin(), page.events.end() - static_cast<std::ptrdiff_t>(*wanted.last));
  }
  return page;
}

void Api::answer_events(const Call& call, const EventRequest& wanted) {
  const EventLog::Page page = read_events(wanted, wanted.limit);
  std::string body = "{\"events\":[";
  for (std::size_t i = 0; i < page.events.size(); ++i) body.append(i == 0 ? "" : ",").append(page.events[i]->json);
  body += "],\"next\":" + std::to_string(page.next) +
          ",\"forgotten_until\":" + std::to_string(parts_.chronicle.events().forgotten_until()) + "}\n";
  budgets_.charge(call.uid, static_cast<std::int64_t>(body.size()) / CallerBudgets::kUnitBytes);
  Answer answer;
  answer.body = std::move(body);
  send(call.id, answer);
}

void Api::follow_events(const Call& call, const EventRequest& wanted) {
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  if (!admin && parts_.event_followers.count_of(call.uid) >= EventFollowers::kMaxPerTenantUid) {
    fail(call.id, {503, "busy", "You follow the events too often at the same time.", "", ""});
    return;
  }
  std::string first = ": events of Rowhouse\n\n";
  for (const Event* event : read_events(wanted, EventLog::kMaxEvents).events) first += format_server_event(*event);
  if (first.size() > Connection::kMaxStreamBytes) {
    fail(call.id, {409, "too_far_behind", "Read pages without follow first: there are too many events to catch up with.",
                   "", ""});
    return;
  }
  // Added first: the client may go while the head is written.
  parts_.event_followers.add(call.id, wanted.scope);
  if (!parts_.server.try_begin_stream(call.id, kStreamType, first)) parts_.event_followers.remove(call.id);
}

}  // namespace rowhouse::control
