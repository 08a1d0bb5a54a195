#include "cli/events_command.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

std::string scope_of(const Invocation& invocation) {
  std::string scope;
  if (!invocation.subject.tenant.empty()) scope += "&tenant=" + invocation.subject.tenant;
  if (!invocation.subject.app.empty()) scope += "&app=" + invocation.subject.app;
  return scope;
}

void print_event(const Invocation& invocation, std::string_view event) {
  print(invocation.output == Output::kJson ? std::string(event) + "\n" : render_event(event));
}

// Server-sent events out of pieces: only their data is shown.
class EventPrinter {
 public:
  explicit EventPrinter(const Invocation& invocation) : invocation_(invocation) {}
  void take(std::string_view bytes) {
    held_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', begin)) {
      const std::string_view line = std::string_view(held_).substr(begin, end - begin);
      if (line.starts_with("data: ")) print_event(invocation_, line.substr(6));
      begin = end + 1;
    }
    held_.erase(0, begin);
    std::fflush(stdout);
  }

 private:
  const Invocation& invocation_;
  std::string held_;
};

std::string value_text(const json& value) {
  return value.is_string() ? terminal_safe(value.get_ref<const std::string&>()) : terminal_safe(value.dump());
}

// The page that the options name; where the next one begins.
ExitCode print_page(const Invocation& invocation, std::uint64_t& next) {
  const EventOptions& events = invocation.events;
  const std::string which = events.since ? fmt::format("since={}&limit={}", *events.since, events.count)
                                         : fmt::format("last={}", events.count);
  const Reply reply = ApiClient(invocation.socket).get("/v1/events?" + which + scope_of(invocation));
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  const json answer = json::parse(reply.body, nullptr, false);
  if (!answer.is_object() || !answer.contains("events") || !answer["events"].is_array()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  next = number_at(answer, "next");
  const bool lines = events.end == EventOptions::End::kFollow || invocation.output == Output::kText;
  if (!lines) print(reply.body);
  for (const json& event : answer["events"]) {
    if (lines) print_event(invocation, event.dump());
  }
  return ExitCode::kDone;
}

}  // namespace

std::string render_event(std::string_view json_event) {
  const json event = json::parse(json_event, nullptr, false);
  std::string subject = text_at(event, "tenant");
  if (const std::string app = text_at(event, "app"); !app.empty()) subject += "/" + app;
  std::string line = fmt::format("{} {} {} {}", text_at(event, "at"), number_at(event, "id"),
                                 subject.empty() ? "-" : subject, text_at(event, "type"));
  if (!event.is_object()) return line + "\n";
  for (const auto& [name, value] : event.items()) {
    const bool shown = name == "id" || name == "at" || name == "type" || name == "tenant" || name == "app";
    if (!shown && value != "") line += " " + terminal_safe(name) + "=" + value_text(value);
  }
  return line + "\n";
}

ExitCode run_events(const Invocation& invocation) {
  std::uint64_t next = 0;
  const ExitCode page = print_page(invocation, next);
  if (page != ExitCode::kDone || invocation.events.end != EventOptions::End::kFollow) return page;
  std::fflush(stdout);
  EventPrinter printer(invocation);
  const std::string path = fmt::format("/v1/events?follow=1&since={}{}", next, scope_of(invocation));
  const Reply reply =
      ApiClient(invocation.socket).stream(path, [&](std::string_view bytes) { printer.take(bytes); });
  return exit_code_of(reply) == ExitCode::kDone ? ExitCode::kDone : report_failure(reply, invocation.output);
}

}  // namespace rowhouse::cli
