#include "cli/top_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "cli/human.h"
#include "cli/report.h"
#include "cli/table.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

constexpr std::array kOrders{std::pair{TopOrder::kCpu, std::string_view("cpu")},
                             std::pair{TopOrder::kMemory, std::string_view("memory")},
                             std::pair{TopOrder::kRequests, std::string_view("requests")},
                             std::pair{TopOrder::kLatency, std::string_view("latency")},
                             std::pair{TopOrder::kIo, std::string_view("io")},
                             std::pair{TopOrder::kQueue, std::string_view("queue")},
                             std::pair{TopOrder::kName, std::string_view("name")}};
constexpr std::size_t kClasses = 6, kServerErrors = 5;
constexpr std::size_t kMaxBuckets = 64;

const json& object_at(const json& object, const char* name) {
  static const json kNone = json::object();
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kNone;
}

std::vector<std::uint64_t> numbers_at(const json& object, const char* name, std::size_t most) {
  std::vector<std::uint64_t> numbers;
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_array()) return numbers;
  for (const json& each : *found) {
    if (numbers.size() < most) numbers.push_back(each.is_number_unsigned() ? each.get<std::uint64_t>() : 0);
  }
  return numbers;
}

std::uint64_t more(std::uint64_t before, std::uint64_t now) {
  return now > before ? now - before : 0;
}

std::uint64_t difference(const json& before, const json& now, const char* name) {
  return more(number_at(before, name), number_at(now, name));
}

std::vector<std::uint64_t> differences(const std::vector<std::uint64_t>& before, std::vector<std::uint64_t> now) {
  for (std::size_t i = 0; i < now.size() && i < before.size(); ++i) now[i] = more(before[i], now[i]);
  return now;
}

// The upper end of the bucket in which the 95th of a hundred is, between its ends in proportion.
std::optional<double> percentile_95_ms(const std::vector<std::uint64_t>& buckets, const std::vector<std::uint64_t>& bounds_us) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : buckets) all += count;
  if (all == 0) return std::nullopt;
  const double wanted = 0.95 * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto count = static_cast<double>(buckets[i]);
    if (below + count < wanted || count == 0) {
      below += count;
      continue;
    }
    const double low = i == 0 || bounds_us.empty() ? 0 : static_cast<double>(bounds_us[std::min(i, bounds_us.size()) - 1]);
    const double high = i < bounds_us.size() ? static_cast<double>(bounds_us[i]) : low;
    return (low + (high - low) * (wanted - below) / count) / 1000;
  }
  return std::nullopt;
}

void measure_traffic(const json& before, const json& now, double seconds, TopRow& row) {
  // Counts of another epoch began at 0.
  static const json kNone = json::object();
  const json& base = number_at(before, "epoch") == number_at(now, "epoch") ? before : kNone;
  const auto classes = differences(numbers_at(base, "requests_by_class", kClasses), numbers_at(now, "requests_by_class", kClasses));
  std::uint64_t requests = 0;
  for (const std::uint64_t count : classes) requests += count;
  row.requests_per_s = static_cast<double>(requests) / seconds;
  if (classes.size() > kServerErrors) row.errors_per_s = static_cast<double>(classes[kServerErrors]) / seconds;
  row.queued = number_at(now, "queued");
  row.in_flight = number_at(now, "in_flight");
  const json &worker = object_at(now, "worker"), &worker_before = object_at(base, "worker");
  const auto buckets = differences(numbers_at(worker_before, "buckets", kMaxBuckets), numbers_at(worker, "buckets", kMaxBuckets));
  row.latency_p95_ms = percentile_95_ms(buckets, numbers_at(now, "latency_bounds_us", kMaxBuckets));
  std::uint64_t over = 0;
  for (const std::uint64_t count : buckets) over += count;
  if (over == 0) return;
  const std::uint64_t us = difference(worker_before, worker, "sum_us") +
                           difference(object_at(base, "queue"), object_at(now, "queue"), "sum_us");
  row.latency_ms = static_cast<double>(us) / static_cast<double>(over) / 1000;
}

TopRow measure_app(const json& before, const json& now, double seconds) {
  TopRow row;
  row.tenant = text_at(now, "tenant");
  row.app = text_at(now, "app");
  row.state = text_at(now, "state");
  row.workers_max = number_at(now, "workers_max");
  const auto workers = now.find("workers");
  if (workers != now.end() && workers->is_array()) {
    for (const json& worker : *workers) row.workers_ready += text_at(worker, "state") == "ready" ? 1 : 0;
  }
  measure_traffic(object_at(before, "traffic"), object_at(now, "traffic"), seconds, row);
  const json &usage = object_at(now, "usage"), &usage_before = object_at(before, "usage");
  const json &cpu = object_at(usage, "cpu"), &memory = object_at(usage, "memory");
  const json &io = object_at(usage, "io"), &io_before = object_at(usage_before, "io");
  // Of an app that was not there before, nobody knows since when it has used this.
  const bool known = !usage_before.empty();
  const double used_us = known ? static_cast<double>(difference(object_at(usage_before, "cpu"), cpu, "used_us")) : 0;
  row.cpu_percent = used_us / 1e4 / seconds;
  row.cpu_limit_percent = number_at(cpu, "limit_percent");
  row.memory_bytes = number_at(memory, "bytes");
  row.memory_limit_bytes = number_at(memory, "limit_bytes");
  if (known) {
    row.io_bytes_per_s =
        static_cast<double>(difference(io_before, io, "read_bytes") + difference(io_before, io, "write_bytes")) / seconds;
  }
  return row;
}

std::string rate_text(double rate) {
  return rate < 9.95 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

std::string latency_text(const std::optional<double>& ms) {
  if (!ms) return "-";
  if (*ms < 9.95) return fmt::format("{:.1f}ms", *ms);
  return format_duration_ms(static_cast<std::int64_t>(*ms + 0.5));
}

Colour state_colour(const std::string& state) {
  if (state == "running") return Colour::kGreen;
  if (state == "failed" || state == "backoff") return Colour::kRed;
  return state == "stopped" || state == "idle" || state == "suspended" ? Colour::kDim : Colour::kYellow;
}

// A column from `from_width` on; the first has what is left.
struct TopColumn {
  const char* title;
  Align align;
  std::size_t width;
  std::size_t from_width;
  std::string (*text)(const TopRow& row);
};
constexpr std::size_t kWide = 120;
const TopColumn kColumns[] = {
    {"STATE", Align::kLeft, 10, 0, [](const TopRow& row) { return row.state; }},
    {"WORKERS", Align::kRight, 7, kWide,
     [](const TopRow& row) { return fmt::format("{}/{}", row.workers_ready, row.workers_max); }},
    {"REQ/S", Align::kRight, 6, 0, [](const TopRow& row) { return rate_text(row.requests_per_s); }},
    {"5XX/S", Align::kRight, 6, kWide, [](const TopRow& row) { return rate_text(row.errors_per_s); }},
    {"MEAN", Align::kRight, 6, kWide, [](const TopRow& row) { return latency_text(row.latency_ms); }},
    {"P95", Align::kRight, 6, 0, [](const TopRow& row) { return latency_text(row.latency_p95_ms); }},
    {"QUEUE", Align::kRight, 5, 0, [](const TopRow& row) { return std::to_string(row.queued); }},
    {"BUSY", Align::kRight, 5, kWide, [](const TopRow& row) { return std::to_string(row.in_flight); }},
    {"CPU", Align::kRight, 5, 0, [](const TopRow& row) { return fmt::format("{:.0f}%", row.cpu_percent); }},
    {"OF", Align::kRight, 5, kWide,
     [](const TopRow& row) { return row.cpu_limit_percent == 0 ? "-" : fmt::format("{}%", row.cpu_limit_percent); }},
    {"MEM", Align::kRight, 5, 0, [](const TopRow& row) { return format_bytes(row.memory_bytes); }},
    {"OF", Align::kRight, 5, kWide,
     [](const TopRow& row) { return row.memory_limit_bytes == 0 ? "-" : format_bytes(row.memory_limit_bytes); }},
    {"IO/S", Align::kRight, 6, 0,
     [](const TopRow& row) { return format_bytes(static_cast<std::uint64_t>(row.io_bytes_per_s)); }},
};
constexpr std::size_t kGap = 2, kNarrowestName = 8, kUsualName = 40;

std::string padded(const std::string& text, std::size_t width, Align align) {
  const std::string cut = cut_to_width(text, width);
  const std::string spaces(width - std::min(width, display_width(cut)), ' ');
  return align == Align::kRight ? spaces + cut : cut + spaces;
}

}  // namespace

std::optional<TopOrder> parse_top_order(std::string_view word) {
  for (const auto& [order, name] : kOrders) {
    if (name == word) return order;
  }
  return std::nullopt;
}

std::string_view top_order_name(TopOrder order) {
  for (const auto& [known, name] : kOrders) {
    if (known == order) return name;
  }
  return "name";
}

std::vector<TopRow> measure_top(const json& before, const json& now, double seconds) {
  static const json kNone = json::object();
  std::map<std::pair<std::string, std::string>, const json*> known;
  const auto apps_of = [](const json& status) {
    return status.is_object() && status.contains("apps") && status["apps"].is_array() ? status["apps"] : json::array();
  };
  const json apps_before = apps_of(before), apps_now = apps_of(now);
  for (const json& app : apps_before) known[{text_at(app, "tenant"), text_at(app, "app")}] = &app;
  std::vector<TopRow> rows;
  for (const json& app : apps_now) {
    if (!app.is_object()) continue;
    const auto found = known.find({text_at(app, "tenant"), text_at(app, "app")});
    rows.push_back(measure_app(found == known.end() ? kNone : *found->second, app, seconds));
  }
  return rows;
}

void sort_top(std::vector<TopRow>& rows, TopOrder order) {
  const auto weight = [order](const TopRow& row) -> double {
    switch (order) {
      case TopOrder::kCpu: return row.cpu_percent;
      case TopOrder::kMemory: return static_cast<double>(row.memory_bytes);
      case TopOrder::kRequests: return row.requests_per_s;
      case TopOrder::kLatency: return row.latency_p95_ms.value_or(-1);
      case TopOrder::kIo: return row.io_bytes_per_s;
      case TopOrder::kQueue: return static_cast<double>(row.queued);
      case TopOrder::kName: return 0;
    }
    return 0;
  };
  std::sort(rows.begin(), rows.end(), [&](const TopRow& a, const TopRow& b) {
    const double of_a = weight(a), of_b = weight(b);
    return of_a != of_b ? of_a > of_b : std::pair(a.tenant, a.app) < std::pair(b.tenant, b.app);
  });
}

std::vector<std::string> render_top(const std::vector<TopRow>& rows, const Terminal& terminal) {
  const std::size_t width = terminal.width == 0 ? kWide : terminal.width;
  std::size_t taken = 0;
  for (const TopColumn& column : kColumns) taken += width >= column.from_width ? column.width + kGap : 0;
  const std::size_t name_width = std::clamp(width > taken ? width - taken : 0, kNarrowestName, kUsualName);
  std::string title = padded("APP", name_width, Align::kLeft);
  for (const TopColumn& column : kColumns) {
    if (width >= column.from_width) title += std::string(kGap, ' ') + padded(column.title, column.width, column.align);
  }
  std::vector<std::string> lines{terminal.paint(cut_to_width(title, width), Colour::kBold)};
  for (const TopRow& row : rows) {
    std::string line = padded(row.tenant + "/" + row.app, name_width, Align::kLeft);
    std::size_t used = name_width;
    for (const TopColumn& column : kColumns) {
      if (width < column.from_width || used + kGap + column.width > width) continue;
      used += kGap + column.width;
      const bool is_state = &column == &kColumns[0];
      line += std::string(kGap, ' ') +
              terminal.paint(padded(column.text(row), column.width, column.align), is_state ? state_colour(row.state) : Colour::kPlain);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

nlohmann::ordered_json top_json(const std::vector<TopRow>& rows, double seconds) {
  nlohmann::ordered_json apps = nlohmann::ordered_json::array();
  const auto or_null = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  for (const TopRow& row : rows) {
    apps.push_back({{"tenant", row.tenant},
                    {"app", row.app},
                    {"state", row.state},
                    {"workers_ready", row.workers_ready},
                    {"workers_max", row.workers_max},
                    {"requests_per_second", row.requests_per_s},
                    {"errors_per_second", row.errors_per_s},
                    {"latency_mean_ms", or_null(row.latency_ms)},
                    {"latency_p95_ms", or_null(row.latency_p95_ms)},
                    {"queued", row.queued},
                    {"in_flight", row.in_flight},
                    {"cpu_percent", row.cpu_percent},
                    {"memory_bytes", row.memory_bytes},
                    {"io_bytes_per_second", row.io_bytes_per_s}});
  }
  return {{"seconds", seconds}, {"apps", std::move(apps)}};
}

}  // namespace rowhouse::cli
