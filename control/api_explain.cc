// explain: why an app is as it is, and what an error id in an answer stands for.
#include <algorithm>
#include <charconv>
#include <utility>

#include "control/api.h"
#include "control/explain.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kDefaultDeaths = 5;
constexpr std::size_t kShownEvents = 20;

std::optional<std::size_t> parse_deaths(const std::string& text) {
  if (text.empty()) return kDefaultDeaths;
  std::size_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  if (!whole || number > Stories::kKeptStories) return std::nullopt;
  return number;
}

}  // namespace

void Api::start_explain(const Call& call, const AppName& app) {
  if (!check_parameters(call, {"deaths"}) || !check_body(call)) return;
  const auto deaths = parse_deaths(call.target.parameter("deaths"));
  if (!deaths) {
    fail(call.id, {400, "bad_request", "deaths must be a number from 0 to 50.", "", ""});
    return;
  }
  parts_.inquiries.query(call.id, app.tenant, app.app,
                         [this, id = call.id, uid = call.uid, app, count = *deaths](auto found) {
                           if (found) {
                             answer_explain(id, uid, app, *found, count);
                           } else {
                             fail_unavailable(id);
                           }
                         });
}

void Api::answer_explain(ConnectionId id, uid_t uid, const AppName& app, const StatusFound& found,
                         std::size_t deaths) {
  if (!check_unsent(id, uid)) return;
  ExplainFacts facts;
  facts.app = app;
  const auto match = std::find_if(found.apps.begin(), found.apps.end(), [&](const AppStatus& status) {
    return status.info.tenant.view() == app.tenant && status.info.name.view() == app.app;
  });
  if (match != found.apps.end()) facts.status = &*match;
  facts.history = parts_.chronicle.stories().read(app);
  facts.problems = parts_.registry.problems_of(app.tenant);
  facts.suspension = parts_.registry.suspension_of(app);
  if (facts.status == nullptr && facts.history.deaths.empty() && !facts.history.last_start) {
    fail_not_found(id, app.text());
    return;
  }
  const auto of_app = [&](const Event& event) { return event.tenant == app.tenant && event.app == app.app; };
  const EventLog::Page page = parts_.chronicle.events().read(0, EventLog::kMaxEvents, of_app);
  const std::size_t skipped = page.events.size() - std::min(page.events.size(), kShownEvents);
  for (std::size_t i = skipped; i < page.events.size(); ++i) facts.events.push_back(&page.events[i]->json);
  Answer answer;
  answer.body = dump_json(explain_app(facts, deaths)) + "\n";
  send(id, answer);
}

// Another tenant's error is as absent as one that never was.
void Api::answer_error(const Call& call, const std::string& error) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {}) || !check_body(call)) return;
  if (!check_unsent(call.id, call.uid)) return;
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  std::vector<std::string> tenants = admin ? parts_.registry.tenants() : parts_.registry.tenants_of(call.uid);
  if (admin) tenants.emplace_back();
  FoundError found;
  if (is_error_id(error)) found = parts_.chronicle.errors().find(error, tenants);
  if (found.json.is_null()) {
    fail_not_found(call.id, "The error " + error);
    return;
  }
  Json death;
  if (!found.app.app.empty()) {
    death = parts_.chronicle.stories().find_request(found.app, text_of(found.json["request"], "id"));
  }
  Answer answer;
  answer.body = dump_json(explain_error(std::move(found.json), found.app, std::move(death))) + "\n";
  send(call.id, answer);
}

}  // namespace rowhouse::control
