#include "control/usage_json.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

using nlohmann::ordered_json;

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

double cpu_seconds(const Bill& bill) {
  return static_cast<double>(bill.cpu_us) / 1e6;
}
double memory_gb_hours(const Bill& bill) {
  return static_cast<double>(bill.memory_byte_seconds) / kGibibyte / static_cast<double>(kHourSeconds);
}

std::int64_t end_of(const UsageReport& report, const UsageRow& row) {
  if (report.step == UsageStep::kTotal) return report.period.to_s;
  return row.start_s + (report.step == UsageStep::kHour ? kHourSeconds : kDaySeconds);
}

ordered_json bill_json(const Bill& bill) {
  return {{"cpu_seconds", cpu_seconds(bill)},
          {"memory_gb_hours", memory_gb_hours(bill)},
          {"requests", bill.requests},
          {"bytes_in", bill.bytes_in},
          {"bytes_out", bill.bytes_out},
          {"disk_read_bytes", bill.read_bytes},
          {"disk_written_bytes", bill.written_bytes},
          {"workers_peak", bill.workers_peak},
          {"memory_peak_bytes", bill.memory_peak},
          {"processes_peak", bill.processes_peak},
          {"requests_in_flight_peak", bill.in_flight_peak},
          {"faults", bill.faults}};
}

std::uint64_t faults_of(const Bill& bill, std::initializer_list<std::string_view> kinds) {
  std::uint64_t sum = 0;
  for (const std::string_view kind : kinds) {
    const auto found = bill.faults.find(std::string(kind));
    if (found != bill.faults.end()) sum += found->second;
  }
  return sum;
}

ordered_json triple(const ordered_json& usage, std::uint64_t limit, std::uint64_t faults) {
  return {{"usage", usage}, {"limit", limit == 0 ? ordered_json() : ordered_json(limit)}, {"faults", faults}};
}

// What was used of each resource, the limit that is in force now, and how often it was reached.
ordered_json resources_json(const UsageReport& report, const Bill& bill, const proto::TenantUsage& limits) {
  const std::int64_t until = std::min(report.period.to_s, report.now_s);
  const auto seconds = static_cast<double>(std::max<std::int64_t>(1, until - report.period.from_s));
  using proto::Cause;
  using proto::cause_name;
  return {
      {"cpu_percent", triple(100 * cpu_seconds(bill) / seconds, limits.usage.cpu_percent, faults_of(bill, {kThrottledFault}))},
      {"memory_bytes", triple(static_cast<std::uint64_t>(static_cast<double>(bill.memory_byte_seconds) / seconds),
                              limits.usage.memory_limit_bytes, faults_of(bill, {kOomFault}))},
      {"processes", triple(bill.processes_peak, limits.usage.pids_limit, faults_of(bill, {kForkFault}))},
      {"workers", triple(bill.workers_peak, limits.workers, 0)},
      {"concurrency", triple(bill.in_flight_peak, limits.concurrency,
                             faults_of(bill, {cause_name(Cause::kQueueFull), cause_name(Cause::kQueueTimeout)}))},
      {"requests_per_second", triple(static_cast<double>(bill.requests) / seconds, limits.rate,
                                     faults_of(bill, {cause_name(Cause::kRate)}))},
      {"connections", triple(nullptr, limits.connections, faults_of(bill, {cause_name(Cause::kConnections)}))}};
}

std::string real_text(double value) {
  char text[64];
  return std::string(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.6f", value)));
}

}  // namespace

std::string_view usage_step_name(UsageStep step) {
  switch (step) {
    case UsageStep::kHour: return "hour";
    case UsageStep::kDay: return "day";
    case UsageStep::kTotal: return "total";
  }
  return "total";
}

std::optional<UsageStep> parse_usage_step(std::string_view text) {
  for (const UsageStep step : {UsageStep::kHour, UsageStep::kDay, UsageStep::kTotal}) {
    if (text == usage_step_name(step)) return step;
  }
  return std::nullopt;
}

std::string usage_json(const UsageReport& report, const Meters& meters) {
  ordered_json tenants = ordered_json::object();
  for (const UsageRow& row : report.rows) {
    ordered_json json = bill_json(row.bill);
    if (report.step == UsageStep::kTotal) {
      const auto meter = meters.tenants().find(row.tenant);
      const bool known = meter != meters.tenants().end() && meter->second.told;
      json["resources"] = resources_json(report, row.bill, known ? *meter->second.told : proto::TenantUsage{});
      tenants[row.tenant] = std::move(json);
      continue;
    }
    ordered_json& list = tenants[row.tenant];
    if (list.is_null()) list = ordered_json::array();
    ordered_json timed{{"from", format_rfc3339(row.start_s * 1000)}, {"to", format_rfc3339(end_of(report, row) * 1000)}};
    timed.update(json);
    list.push_back(std::move(timed));
  }
  const ordered_json json{{"from", format_rfc3339(report.period.from_s * 1000)},
                          {"to", format_rfc3339(report.period.to_s * 1000)},
                          {"step", usage_step_name(report.step)},
                          {"complete", report.period.to_s <= report.now_s},
                          {"tenants", std::move(tenants)}};
  return json.dump() + "\n";
}

std::string usage_csv(const UsageReport& report) {
  std::string csv =
      "tenant,from,to,cpu_seconds,memory_gb_hours,requests,bytes_in,bytes_out,disk_read_bytes,disk_written_bytes,"
      "workers_peak,memory_peak_bytes,processes_peak,requests_in_flight_peak,faults\r\n";
  for (const UsageRow& row : report.rows) {
    const Bill& bill = row.bill;
    csv += row.tenant + "," + format_rfc3339(row.start_s * 1000) + "," + format_rfc3339(end_of(report, row) * 1000) +
           "," + real_text(cpu_seconds(bill)) + "," + real_text(memory_gb_hours(bill));
    for (const std::uint64_t number : {bill.requests, bill.bytes_in, bill.bytes_out, bill.read_bytes, bill.written_bytes,
                                       bill.workers_peak, bill.memory_peak, bill.processes_peak, bill.in_flight_peak}) {
      csv += "," + std::to_string(number);
    }
    csv += ",";
    bool first = true;
    for (const auto& [kind, count] : bill.faults) {
      csv += (std::exchange(first, false) ? "" : " ") + kind + "=" + std::to_string(count);
    }
    csv += "\r\n";
  }
  return csv;
}

}  // namespace rowhouse::control
