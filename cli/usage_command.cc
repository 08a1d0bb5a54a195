#include "cli/usage_command.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/table.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

double real_at(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::string faults_text(const json& usage) {
  std::string text;
  const auto faults = usage.is_object() ? usage.find("faults") : usage.end();
  if (!usage.is_object() || faults == usage.end() || !faults->is_object()) return "-";
  for (const auto& [kind, count] : faults->items()) {
    if (count.is_number_unsigned()) text += (text.empty() ? "" : ", ") + terminal_safe(kind) + " " + count.dump();
  }
  return text.empty() ? "-" : text;
}

void add_row(Table& table, const std::string& tenant, const std::string& from, const json& usage) {
  table.add_row({{tenant},
                 {from},
                 {fmt::format("{:.1f}s", real_at(usage, "cpu_seconds"))},
                 {fmt::format("{:.3f}", real_at(usage, "memory_gb_hours"))},
                 {std::to_string(number_at(usage, "requests"))},
                 {format_bytes(number_at(usage, "bytes_in"))},
                 {format_bytes(number_at(usage, "bytes_out"))},
                 {std::to_string(number_at(usage, "workers_peak"))},
                 {faults_text(usage)}});
}

// A value of a query: dates and words have nothing else in them.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string path_of(const Invocation& invocation) {
  const UsageOptions& usage = invocation.usage;
  std::string path = "/v1/usage?step=" + escaped(usage.step);
  if (!invocation.subject.tenant.empty()) path += "&tenant=" + invocation.subject.tenant;
  if (!usage.period.empty()) path += "&period=" + escaped(usage.period);
  if (!usage.from.empty()) path += "&from=" + escaped(usage.from);
  if (!usage.to.empty()) path += "&to=" + escaped(usage.to);
  if (usage.form == UsageOptions::Form::kCsv) path += "&format=csv";
  return path;
}

}  // namespace

std::string render_usage_report(const json& report, const Terminal& terminal) {
  Table table({{"TENANT", Align::kLeft},
               {"FROM", Align::kLeft},
               {"CPU", Align::kRight},
               {"GB-H", Align::kRight},
               {"REQUESTS", Align::kRight},
               {"IN", Align::kRight},
               {"OUT", Align::kRight},
               {"WORKERS", Align::kRight},
               {"FAULTS", Align::kLeft}});
  const std::string from = text_at(report, "from");
  const json tenants = report.is_object() && report.contains("tenants") ? report["tenants"] : json::object();
  for (const auto& [name, usage] : tenants.items()) {
    const std::string tenant = terminal_safe(name);
    if (usage.is_object()) add_row(table, tenant, from.substr(0, 16), usage);
    if (!usage.is_array()) continue;
    for (const json& each : usage) add_row(table, tenant, text_at(each, "from").substr(0, 16), each);
  }
  return fmt::format("From {} to {}, {}\n", from, text_at(report, "to"),
                     report.is_object() && report.value("complete", false) ? "complete" : "not over yet") +
         table.render(terminal);
}

ExitCode run_usage(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).get(path_of(invocation));
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson || invocation.usage.form == UsageOptions::Form::kCsv) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json report = json::parse(reply.body, nullptr, false);
  if (!report.is_object()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  print(render_usage_report(report, look_at_terminal()));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
