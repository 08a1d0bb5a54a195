#include "cli/explain_command.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/human.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

const json& member(const json& object, const char* name) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

bool flag_at(const json& object, const char* name) {
  const json& value = member(object, name);
  return value.is_boolean() && value.get<bool>();
}

std::string duration(const json& object, const char* name) {
  return format_duration_ms(static_cast<std::int64_t>(number_at(object, name)));
}

std::string app_of(const json& object) {
  return text_at(object, "tenant") + "/" + text_at(object, "app");
}

// "site is in backoff, 0 of 2 workers ready."
std::string render_state(const json& story, std::int64_t now_ms) {
  const std::string state = text_at(story, "state");
  if (state.empty()) return app_of(story) + " is not declared, or its manifest is refused.\n";
  std::string text = fmt::format("{} is {}: {} of {} workers ready, generation {}.\n", app_of(story), state,
                                 number_at(story, "workers_ready"), number_at(story, "workers_min"),
                                 number_at(story, "generation"));
  if (const json& suspended = member(story, "suspended"); suspended.is_object()) {
    const std::string reason = text_at(suspended, "reason");
    text += "  The operator of this host has suspended it" + (reason.empty() ? "" : ": " + reason) + ".\n";
  }
  const json& start = member(story, "last_good_start");
  if (start.is_object()) {
    text += fmt::format("  Last good start: {}, generation {}", text_at(start, "at"), number_at(start, "generation"));
    if (const auto at = parse_rfc3339(text_at(start, "at"))) text += ", " + format_duration_ms(now_ms - *at) + " ago";
    text += "\n";
  } else {
    text += "  Last good start: none is known\n";
  }
  return text;
}

std::string render_request(const json& request) {
  std::string text = fmt::format("{} {}{}, id {}, for {}", text_at(request, "method"), text_at(request, "host"),
                                 text_at(request, "path"), text_at(request, "id"), duration(request, "running_ms"));
  if (text_at(request, "phase") == "sent") text += ", perhaps not begun";
  if (text_at(request, "phase") == "answer begun") text += ", its answer begun";
  if (flag_at(request, "client_gone")) text += ", its client gone";
  return text;
}

std::string render_requests(const json& death) {
  std::string text;
  for (const json& request : member(death, "requests")) text += "    running: " + render_request(request) + "\n";
  if (const auto more = number_at(death, "requests_left_out"); more > 0) text += fmt::format("    ... and {} more\n", more);
  return text;
}

std::string render_stderr(const json& death) {
  static constexpr std::size_t kShownLines = 5;
  const json& lines = member(death, "stderr");
  if (!lines.is_array()) return {};
  std::string text;
  for (std::size_t i = lines.size() - std::min(lines.size(), kShownLines); i < lines.size(); ++i) {
    if (lines[i].is_string()) text += "    | " + terminal_safe(lines[i].get_ref<const std::string&>()) + "\n";
  }
  return text;
}

std::string render_death(const json& death) {
  const std::uint64_t worker = number_at(death, "worker");
  std::string who = worker == 0 ? "the sandbox" : fmt::format("worker {}", worker);
  if (const auto pid = number_at(death, "pid"); pid != 0) who += fmt::format(" (pid {})", pid);
  std::string text = fmt::format("  {} {} of generation {}: {}", text_at(death, "at"), who,
                                 number_at(death, "generation"), text_at(death, "code"));
  const std::string step = text_at(death, "step"), exception = text_at(death, "exception");
  const std::string detail = step.empty() || exception.empty() ? text_at(death, "detail") : step;
  if (!detail.empty()) text += " " + detail;
  if (death.contains("age_ms")) {
    text += fmt::format(" ({} after its start{})", duration(death, "age_ms"),
                        flag_at(death, "was_ready") ? "" : ", before it was ready");
  }
  text += "\n    " + text_at(death, "message") + "\n";
  if (!exception.empty()) text += fmt::format("    {} ({})\n", exception, text_at(death, "where"));
  text += render_requests(death);
  return exception.empty() ? text + render_stderr(death) : text;
}

std::string render_visitors(const json& story) {
  const json& visitors = member(story, "visitors");
  std::string text;
  if (number_at(story, "retry_in_ms") > 0) text += "  Next try in " + duration(story, "retry_in_ms") + ".\n";
  if (!visitors.is_object()) return text;
  if (flag_at(visitors, "served")) {
    return text + (flag_at(visitors, "after_start") ? "  Visitors wait for the first worker.\n" : "  Visitors are served.\n");
  }
  text += fmt::format("  Visitors get {} {}", number_at(visitors, "status"), text_at(visitors, "code"));
  if (const auto after = number_at(visitors, "retry_after_s"); after > 0) text += fmt::format(", Retry-After: {}", after);
  return text + ".\n";
}

// What happened since the last good start, without what the deaths tell already.
std::string render_events(const json& story) {
  const std::string start = text_at(member(story, "last_good_start"), "at");
  std::string text;
  for (const json& event : member(story, "events")) {
    const std::string type = text_at(event, "type");
    if (text_at(event, "at") <= start || (type != "ordered" && type != "degraded" && type != "stopped" &&
                                          type != "limit_hit" && type != "order_failed" && type != "suspended" &&
                                          type != "unsuspended" && type != "touched")) {
      continue;
    }
    text += fmt::format("    {} {}", text_at(event, "at"), type);
    if (type == "ordered") text += fmt::format(" {} by uid {}", text_at(event, "order"), number_at(event, "uid"));
    if (const std::string detail = text_at(event, "detail"); !detail.empty()) text += " " + detail;
    if (const std::string limit = text_at(event, "limit"); !limit.empty()) text += " " + limit;
    text += "\n";
  }
  return text.empty() ? text : "  Since then:\n" + text;
}

ExitCode print_answer(const Invocation& invocation, const Reply& reply, std::string (*render)(const json&)) {
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  if (!answer.is_object()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  print(render(answer));
  return ExitCode::kDone;
}

}  // namespace

std::string render_explanation(const json& story, std::int64_t now_ms) {
  std::string text = render_state(story, now_ms) + render_events(story);
  const json& deaths = member(story, "deaths");
  if (!deaths.is_array() || deaths.empty()) text += "  No worker of it is known to have died.\n";
  for (const json& death : deaths) text += render_death(death);
  text += render_visitors(story);
  for (const json& error : member(story, "errors")) {
    if (error.is_string()) text += "  Refused: " + terminal_safe(error.get_ref<const std::string&>()) + "\n";
  }
  if (deaths.is_array() && !deaths.empty()) {
    if (const std::string fix = text_at(deaths[0], "fix"); !fix.empty()) text += "  Fix: " + fix + "\n";
  }
  return text;
}

std::string render_error(const json& answer) {
  const json &error = member(answer, "error"), &request = member(error, "request"), &death = member(answer, "death");
  std::string text = fmt::format("{} {} {}", text_at(error, "at"), number_at(error, "status"), text_at(error, "code"));
  if (!text_at(error, "app").empty()) text += " of " + app_of(error);
  text += fmt::format("\n  {}\n  request: {} {}{}, id {}\n", text_at(error, "message"), text_at(request, "method"),
                      text_at(request, "host"), text_at(request, "path"), text_at(request, "id"));
  if (death.is_object()) text += "  The worker that had it:\n" + render_death(death);
  std::string fix = text_at(death, "fix");
  if (fix.empty()) fix = text_at(error, "fix");
  return fix.empty() ? text : text + "  Fix: " + fix + "\n";
}

ExitCode run_explain(const Invocation& invocation) {
  const ApiClient client(invocation.socket);
  if (!invocation.error_id.empty()) {
    return print_answer(invocation, client.get("/v1/errors/" + invocation.error_id), render_error);
  }
  return print_answer(invocation, client.get("/v1/apps/" + invocation.subject.text() + "/explain"), [](const json& story) {
    return render_explanation(story, SystemClock().wall_ms());
  });
}

}  // namespace rowhouse::cli
