#include "control/metrics_text.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/control_messages.h"

namespace rowhouse::control {
namespace {

using App = std::pair<const AppName, AppMeter>;
using Tenant = std::pair<const std::string, TenantMeter>;

// One metric after the other, each with all of its series in one block.
class Exposition {
 public:
  explicit Exposition(std::size_t room) { text_.reserve(room); }

  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help);
    text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  // `labels` without their braces; `suffix` of the name, as histograms have.
  void number(std::string_view labels, std::uint64_t value, std::string_view suffix = "") {
    begin(labels, suffix);
    std::array<char, 24> room;
    text_.append(room.data(), std::to_chars(room.data(), room.data() + room.size(), value).ptr);
    text_.push_back('\n');
  }
  void real(std::string_view labels, double value, std::string_view suffix = "") {
    begin(labels, suffix);
    std::array<char, 40> room;
    text_.append(room.data(), std::to_chars(room.data(), room.data() + room.size(), value).ptr);
    text_.push_back('\n');
  }
  // A count of microseconds as seconds.
  void seconds(std::string_view labels, std::uint64_t us, std::string_view suffix = "") {
    begin(labels, suffix);
    std::array<char, 24> room;
    text_.append(room.data(), std::to_chars(room.data(), room.data() + room.size(), us / 1'000'000).ptr);
    const std::uint64_t rest = us % 1'000'000;
    if (rest != 0) {
      std::array<char, 8> digits{'.', '0', '0', '0', '0', '0', '0'};
      std::uint64_t left = rest;
      for (std::size_t i = 6; i > 0; --i, left /= 10) digits[i] = static_cast<char>('0' + left % 10);
      text_.append(digits.data(), 7);
    }
    text_.push_back('\n');
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view labels, std::string_view suffix) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.push_back(' ');
  }
  std::string text_;
  std::string_view name_;
};

// Names are [a-z0-9-]: they need no escaping.
std::string label(std::string_view name, std::string_view value) {
  return std::string(name).append("=\"").append(value).append("\"");
}

// What is written of every app, prepared once.
struct AppRow {
  const App* app = nullptr;
  std::string labels;
  bool served = false;  // it has ever had a request
  [[nodiscard]] const Counts& totals() const { return app->second.meter.totals(); }
  [[nodiscard]] std::string with(std::string_view name, std::string_view value) const {
    return labels + "," + label(name, value);
  }
};

constexpr std::array<std::string_view, proto::kClasses> kClassNames{"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"};

bool has_served(const Counts& totals) {
  for (std::size_t i = 0; i < proto::kClasses; ++i) {
    if (totals[proto::kClassCounts + i] != 0) return true;
  }
  return false;
}

std::vector<AppRow> rows_of(const Meters& meters, const MetricsScope& scope) {
  std::vector<AppRow> rows;
  for (const App& app : meters.apps()) {
    if (!app.second.sampled || !scope.is_visible(app.first.tenant)) continue;
    rows.push_back({&app, label("tenant", app.first.tenant) + "," + label("app", app.first.app),
                    has_served(app.second.meter.totals())});
  }
  return rows;
}

void write_counter(Exposition& out, const std::vector<AppRow>& rows, std::string_view name, std::string_view help,
                   std::size_t place) {
  out.metric(name, "counter", help);
  for (const AppRow& row : rows) out.number(row.labels, row.totals()[place]);
}

void write_seconds(Exposition& out, const std::vector<AppRow>& rows, std::string_view name, std::string_view help,
                   std::size_t place) {
  out.metric(name, "counter", help);
  for (const AppRow& row : rows) out.seconds(row.labels, row.totals()[place]);
}

// Of those of which the kernel says it.
void write_gauge(Exposition& out, const std::vector<AppRow>& rows, std::string_view name, std::string_view help,
                 const std::function<std::uint64_t(const AppMeter&)>& value) {
  out.metric(name, "gauge", help);
  for (const AppRow& row : rows) {
    const std::uint64_t now = value(row.app->second);
    if (now != proto::kUnknownCount) out.number(row.labels, now);
  }
}

void write_traffic(Exposition& out, const std::vector<AppRow>& rows) {
  out.metric("rowhouse_app_requests_total", "counter",
             "Requests that are over, by class of their status; aborted: the client went before an answer.");
  for (const AppRow& row : rows) {
    for (std::size_t i = 0; row.served && i < proto::kClasses; ++i) {
      out.number(row.with("class", kClassNames[i]), row.totals()[proto::kClassCounts + i]);
    }
  }
  out.metric("rowhouse_app_refusals_total", "counter", "Answers that Rowhouse gave in the app's place, by cause.");
  for (const AppRow& row : rows) {
    for (std::size_t i = 0; i < proto::kRefusals; ++i) {
      const std::uint64_t count = row.totals()[proto::kRefusalCounts + i];
      const bool named = i < proto::kCountedRefusals.size();
      const std::string_view cause = named ? proto::cause_name(proto::kCountedRefusals[i]) : "other";
      if (count != 0) out.number(row.with("cause", cause), count);
    }
  }
  write_counter(out, rows, "rowhouse_app_received_bytes_total", "Bytes of request bodies.", proto::kBytesInCount);
  write_counter(out, rows, "rowhouse_app_sent_bytes_total", "Bytes of response bodies.", proto::kBytesOutCount);
}

// "0.0001" and so on, as the values of the label le.
std::array<std::string, proto::kLatencyBuckets> bucket_ends() {
  std::array<std::string, proto::kLatencyBuckets> ends;
  for (std::size_t i = 0; i < proto::kLatencyBoundsUs.size(); ++i) {
    std::array<char, 40> room;
    const double seconds = proto::kLatencyBoundsUs[i] / 1e6;
    ends[i].assign(room.data(), std::to_chars(room.data(), room.data() + room.size(), seconds, std::chars_format::fixed).ptr);
  }
  ends.back() = "+Inf";
  return ends;
}

void write_histogram(Exposition& out, const std::vector<AppRow>& rows, std::string_view name, std::string_view help,
                     std::size_t place) {
  static const auto kEnds = bucket_ends();
  out.metric(name, "histogram", help);
  for (const AppRow& row : rows) {
    if (!row.served) continue;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < proto::kLatencyBuckets; ++i) {
      count += row.totals()[place + i];
      out.number(row.with("le", kEnds[i]), count, "_bucket");
    }
    out.seconds(row.labels, row.totals()[place + proto::kLatencyBuckets], "_sum");
    out.number(row.labels, count, "_count");
  }
}

void write_latency(Exposition& out, const std::vector<AppRow>& rows) {
  write_histogram(out, rows, "rowhouse_app_gateway_seconds",
                  "Until a request for the app was whole and in its queue.", proto::kGatewayHistogram);
  write_histogram(out, rows, "rowhouse_app_queue_seconds", "From there until a worker had it.",
                  proto::kQueueHistogram);
  write_histogram(out, rows, "rowhouse_app_worker_seconds", "From there until the worker's answer was complete.",
                  proto::kAppHistogram);
}

void write_life(Exposition& out, const std::vector<AppRow>& rows) {
  out.metric("rowhouse_app_state", "gauge", "1 for the state that the app is in.");
  for (const AppRow& row : rows) out.number(row.with("state", proto::app_state_name(row.app->second.info.state)), 1);
  out.metric("rowhouse_app_workers", "gauge", "Workers by state.");
  for (const AppRow& row : rows) {
    for (std::size_t i = 0; i < kWorkerStates; ++i) {
      const auto state = static_cast<proto::WorkerState>(i);
      const std::uint32_t count = row.app->second.workers[i];
      if (count != 0 || state == proto::WorkerState::kReady)
        out.number(row.with("state", proto::worker_state_name(state)), count);
    }
  }
  write_gauge(out, rows, "rowhouse_app_workers_max", "The most workers that the manifest asks for.",
              [](const AppMeter& app) { return app.info.workers_max; });
  write_gauge(out, rows, "rowhouse_app_queue_length", "Requests that wait for a worker.",
              [](const AppMeter& app) { return app.queued; });
  write_gauge(out, rows, "rowhouse_app_requests_in_flight", "Requests that are in workers.",
              [](const AppMeter& app) { return app.in_flight; });
  write_counter(out, rows, "rowhouse_app_restarts_total", "Workers that were replaced and generations that were rolled.",
                kRestartCount);
  out.metric("rowhouse_app_worker_endings_total", "counter", "Endings of workers and failures of starts, by cause.");
  for (const AppRow& row : rows) {
    for (std::size_t i = 0; i < kEndings; ++i) {
      const std::uint64_t count = row.totals()[kEndingCounts + i];
      if (count != 0) out.number(row.with("cause", proto::cause_name(static_cast<proto::Cause>(i))), count);
    }
  }
}

void write_resources(Exposition& out, const std::vector<AppRow>& rows) {
  write_seconds(out, rows, "rowhouse_app_cpu_seconds_total", "CPU time of the app's processes.", kCpuCount);
  write_counter(out, rows, "rowhouse_app_cpu_throttled_periods_total",
                "Periods of 100 ms in which the app's own CPU quota was used up.", kThrottledPeriods);
  write_seconds(out, rows, "rowhouse_app_cpu_throttled_seconds_total", "How long its processes waited then.",
                kThrottledUs);
  write_gauge(out, rows, "rowhouse_app_memory_bytes", "Memory of the app.",
              [](const AppMeter& app) { return app.usage.memory_bytes; });
  write_gauge(out, rows, "rowhouse_app_memory_peak_bytes", "The most memory that it has had.",
              [](const AppMeter& app) { return app.usage.memory_peak_bytes; });
  write_gauge(out, rows, "rowhouse_app_memory_limit_bytes", "Its own limit; missing where it has none.",
              [](const AppMeter& app) {
                return app.usage.memory_limit_bytes == 0 ? proto::kUnknownCount : app.usage.memory_limit_bytes;
              });
  write_gauge(out, rows, "rowhouse_app_swap_bytes", "Swap of the app.",
              [](const AppMeter& app) { return app.usage.swap_bytes; });
  write_counter(out, rows, "rowhouse_app_oom_kills_total", "Processes that the kernel killed for memory.", kOomKills);
  write_gauge(out, rows, "rowhouse_app_processes", "Processes and threads of the app.",
              [](const AppMeter& app) { return app.usage.pids; });
  write_counter(out, rows, "rowhouse_app_processes_refused_total",
                "Processes and threads that a limit refused.", kForksRefused);
  write_counter(out, rows, "rowhouse_app_disk_read_bytes_total", "Bytes that were read from disks.", kReadBytes);
  write_counter(out, rows, "rowhouse_app_disk_written_bytes_total", "Bytes that were written to disks.", kWrittenBytes);
}

// A gauge of tenants; where the kernel does not say it, or there is no limit, it is missing.
struct TenantGauge {
  std::string_view name, help;
  std::uint64_t (*value)(const proto::TenantUsage& told);
};
constexpr TenantGauge kTenantGauges[] = {
    {"rowhouse_tenant_memory_bytes", "Memory of all apps of the tenant.",
     [](const proto::TenantUsage& told) { return told.usage.memory_bytes; }},
    {"rowhouse_tenant_memory_limit_bytes", "The plan's limit.",
     [](const proto::TenantUsage& told) {
       return told.usage.memory_limit_bytes == 0 ? proto::kUnknownCount : told.usage.memory_limit_bytes;
     }},
    {"rowhouse_tenant_cpu_limit_percent", "The plan's limit, of one core.",
     [](const proto::TenantUsage& told) {
       return told.usage.cpu_percent == 0 ? proto::kUnknownCount : std::uint64_t{told.usage.cpu_percent};
     }},
    {"rowhouse_tenant_processes", "Processes and threads of the tenant.",
     [](const proto::TenantUsage& told) { return told.usage.pids; }},
};

void write_tenants(Exposition& out, const Meters& meters, const MetricsScope& scope) {
  const auto for_each = [&](auto visit) {
    for (const Tenant& tenant : meters.tenants()) {
      if (tenant.second.told && scope.is_visible(tenant.first)) visit(label("tenant", tenant.first), tenant.second);
    }
  };
  const auto seconds = [&](std::string_view name, std::string_view help, std::size_t place) {
    out.metric(name, "counter", help);
    for_each([&](const std::string& labels, const TenantMeter& tenant) {
      out.seconds(labels, tenant.meter.totals()[place]);
    });
  };
  seconds("rowhouse_tenant_cpu_seconds_total", "CPU time of all apps of the tenant.", kCpuCount);
  seconds("rowhouse_tenant_cpu_throttled_seconds_total", "How long processes waited because the plan's CPU was used up.",
          kThrottledUs);
  for (const TenantGauge& gauge : kTenantGauges) {
    out.metric(gauge.name, "gauge", gauge.help);
    for_each([&](const std::string& labels, const TenantMeter& tenant) {
      const std::uint64_t now = gauge.value(*tenant.told);
      if (now != proto::kUnknownCount) out.number(labels, now);
    });
  }
}

void write_host(Exposition& out, const Meters& meters, const MetricsScope& scope, const std::vector<AppRow>& rows) {
  out.metric("rowhouse_info", "gauge", "1; the version is a label.");
  out.number(label("version", ROWHOUSE_VERSION), 1);
  out.metric("rowhouse_tenants", "gauge", "Tenants with an app.");
  out.number("", meters.tenants().size());
  out.metric("rowhouse_apps", "gauge", "Apps by state.");
  std::array<std::uint64_t, static_cast<std::size_t>(proto::AppState::kSuspended) + 1> states{};
  for (const AppRow& row : rows) ++states[static_cast<std::size_t>(row.app->second.info.state)];
  for (std::size_t i = 0; i < states.size(); ++i) {
    out.number(label("state", proto::app_state_name(static_cast<proto::AppState>(i))), states[i]);
  }
  out.metric("rowhouse_access_records_dropped_total", "counter",
             "Lines of access logs that were lost because the log was too slow; no request is missing in metrics.");
  out.number("", scope.access_records_dropped);
}

}  // namespace

std::string metrics_text(const Meters& meters, const MetricsScope& scope) {
  const std::vector<AppRow> rows = rows_of(meters, scope);
  std::size_t served = 0;
  for (const AppRow& row : rows) served += row.served ? 1 : 0;
  // What a series takes, with names of ordinary length.
  Exposition out(rows.size() * 2'500 + served * 5'000 + 16'384);
  if (scope.with_host) write_host(out, meters, scope, rows);
  out.metric("rowhouse_sample_age_seconds", "gauge", "How old these numbers are.");
  if (scope.sample_age_s >= 0) out.real("", scope.sample_age_s);
  write_traffic(out, rows);
  write_latency(out, rows);
  write_life(out, rows);
  write_resources(out, rows);
  write_tenants(out, meters, scope);
  return out.take();
}

}  // namespace rowhouse::control
