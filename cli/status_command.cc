#include "cli/status_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/table.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

const json& list_at(const json& object, const char* name) {
  static const json kNone = json::array();
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : kNone;
}

Colour state_colour(const std::string& state) {
  if (state == "running" || state == "ready") return Colour::kGreen;
  if (state == "failed" || state == "backoff") return Colour::kRed;
  if (state == "stopped" || state == "idle" || state == "suspended") return Colour::kDim;
  return Colour::kYellow;
}

std::string worker_count(const json& app) {
  const json& workers = list_at(app, "workers");
  const auto is_ready = [](const json& worker) { return text_at(worker, "state") == "ready"; };
  const auto ready = static_cast<std::uint64_t>(std::count_if(workers.begin(), workers.end(), is_ready));
  return fmt::format("{}/{}", ready, std::max(ready, number_at(app, "workers_min")));
}

std::uint64_t sum_of(const json& app, const char* field) {
  std::uint64_t sum = 0;
  for (const char* list : {"workers", "templates"}) {
    for (const json& worker : list_at(app, list)) sum += number_at(worker, field);
  }
  return sum;
}

std::string last_event(const json& app, std::int64_t now_ms) {
  if (text_at(app, "state") == "suspended") {
    const std::string reason = app.contains("suspended") ? text_at(app["suspended"], "reason") : "";
    return reason.empty() ? "by the operator" : "by the operator: " + reason;
  }
  const json exit = app.is_object() && app.contains("last_exit") ? app["last_exit"] : json();
  std::string event = text_at(exit, "code");
  if (event.empty()) return "-";
  if (const std::string detail = text_at(exit, "detail"); !detail.empty()) event += " " + detail;
  if (const auto at_ms = parse_rfc3339(text_at(exit, "at"))) {
    event += ", " + format_duration_ms(now_ms - *at_ms) + " ago";
  }
  const std::uint64_t retry_ms = number_at(app, "retry_in_ms");
  if (retry_ms > 0) event += " (retry in " + format_duration_ms(static_cast<std::int64_t>(retry_ms)) + ")";
  return event;
}

std::string render_apps(const json& apps, const Terminal& terminal, std::int64_t now_ms) {
  Table table({{"TENANT", Align::kLeft},
               {"APP", Align::kLeft},
               {"STATE", Align::kLeft},
               {"WORKERS", Align::kRight},
               {"REQUESTS", Align::kRight},
               {"MEM", Align::kRight},
               {"RESTARTS", Align::kRight},
               {"LAST EVENT", Align::kLeft}});
  for (const json& app : apps) {
    const std::string state = text_at(app, "state");
    table.add_row({{text_at(app, "tenant")},
                   {text_at(app, "app")},
                   {state, state_colour(state)},
                   {worker_count(app)},
                   {std::to_string(sum_of(app, "requests"))},
                   {format_bytes(sum_of(app, "memory_bytes"))},
                   {std::to_string(number_at(app, "restarts"))},
                   {last_event(app, now_ms)}});
  }
  return table.render(terminal);
}

// A template is ready when it can fork, and never serves a request.
std::string render_workers(const json& app, const Terminal& terminal) {
  Table table({{"WORKER", Align::kRight},
               {"GENERATION", Align::kRight},
               {"PID", Align::kRight},
               {"STATE", Align::kLeft},
               {"REQUESTS", Align::kRight},
               {"MEM", Align::kLeft}});
  for (const char* list : {"workers", "templates"}) {
    for (const json& worker : list_at(app, list)) {
      const std::string state = text_at(worker, "state");
      const bool serves = std::string_view(list) == "workers";
      table.add_row({{std::to_string(number_at(worker, "worker"))},
                     {std::to_string(number_at(worker, "generation"))},
                     {std::to_string(number_at(worker, "pid"))},
                     {serves ? state : "template, " + state, state_colour(state)},
                     {serves ? std::to_string(number_at(worker, "requests")) : "-"},
                     {format_bytes(number_at(worker, "memory_bytes"))}});
    }
  }
  return "\n" + table.render(terminal);
}

// "64.0M of 128M", or without the limit where there is none.
std::string of_limit(const std::string& used, const std::string& limit) {
  return limit.empty() ? used : used + " of " + limit;
}

std::string render_usage(const json& app) {
  const json usage = app.is_object() && app.contains("usage") ? app["usage"] : json();
  if (!usage.is_object()) return {};
  const json &memory = usage["memory"], &pids = usage["pids"], &cpu = usage["cpu"], &io = usage["io"];
  const std::uint64_t memory_limit = number_at(memory, "limit_bytes"), pids_limit = number_at(pids, "limit");
  const std::string quota = number_at(cpu, "limit_percent") == 0
                                ? "no limit of its own"
                                : fmt::format("limit {}%", number_at(cpu, "limit_percent"));
  return fmt::format(
      "\nMemory: {}, at most {}, OOM kills {}\nProcesses and threads: {}, refused {}\n"
      "CPU: {}, held back in {} periods for {}\nDisk: {} read, {} written\n",
      of_limit(format_bytes(number_at(memory, "bytes")), memory_limit == 0 ? "" : format_bytes(memory_limit)),
      format_bytes(number_at(memory, "peak_bytes")), number_at(memory, "oom_kills"),
      of_limit(std::to_string(number_at(pids, "count")), pids_limit == 0 ? "" : std::to_string(pids_limit)),
      number_at(pids, "refused"), quota, number_at(cpu, "throttled_periods"),
      format_duration_ms(static_cast<std::int64_t>(number_at(cpu, "throttled_us") / 1000)),
      format_bytes(number_at(io, "read_bytes")), format_bytes(number_at(io, "write_bytes")));
}

std::string render_last_exit(const json& app) {
  const json exit = app.is_object() && app.contains("last_exit") ? app["last_exit"] : json();
  if (!exit.is_object()) return {};
  std::string text = fmt::format("\nLast exit: {} {}\n  {}\n", text_at(exit, "at"), text_at(exit, "code"),
                                 text_at(exit, "message"));
  if (const std::string detail = text_at(exit, "detail"); !detail.empty()) text += "  " + detail + "\n";
  return text;
}

std::string render_missing_walls(const json& app) {
  const json sandbox = app.is_object() && app.contains("sandbox") ? app["sandbox"] : json();
  std::string names;
  for (const json& wall : list_at(sandbox, "missing")) {
    if (wall.is_string()) names += (names.empty() ? "" : ", ") + terminal_safe(wall.get<std::string>());
  }
  return names.empty() ? "" : "\nWalls that this host does not give: " + names + "\n";
}

}  // namespace

std::string render_status(const json& status, const Subject& subject, const Terminal& terminal,
                          std::int64_t now_ms) {
  const json& apps = list_at(status, "apps");
  const json& errors = list_at(status, "errors");
  std::string text = apps.empty() ? "No apps.\n" : render_apps(apps, terminal, now_ms);
  if (!subject.app.empty() && apps.size() == 1) {
    const json& app = apps[0];
    if (!list_at(app, "workers").empty() || !list_at(app, "templates").empty()) text += render_workers(app, terminal);
    text += render_usage(app) + render_last_exit(app) + render_missing_walls(app);
  }
  if (!errors.empty()) text += "\nRefused configuration:\n";
  for (const json& error : errors) {
    text += "  " + terminal.paint(text_at(error, "tenant"), Colour::kRed) + ": " + text_at(error, "message") +
            "\n";
  }
  return text;
}

ExitCode run_status(const Invocation& invocation) {
  const Subject& subject = invocation.subject;
  std::string path = "/v1/status";
  if (!subject.tenant.empty()) path += "?tenant=" + subject.tenant;
  if (!subject.app.empty()) path += "&app=" + subject.app;
  const Reply reply = ApiClient(invocation.socket).get(path);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json status = json::parse(reply.body, nullptr, false);
  if (!status.is_object()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  print(render_status(status, subject, look_at_terminal(), SystemClock().wall_ms()));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
