// What `rowhouse top` shows: rates out of two status answers, in an order, as a table.  Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace rowhouse::cli {

struct TopRow {
  std::string tenant, app, state;  // safe for a terminal
  std::uint64_t workers_ready = 0, workers_max = 0;
  double requests_per_s = 0, errors_per_s = 0;  // errors: 5xx
  std::optional<double> latency_ms, latency_p95_ms;  // in queue and worker; nothing: no request was over
  std::uint64_t queued = 0, in_flight = 0;
  double cpu_percent = 0;  // of one core
  std::uint64_t cpu_limit_percent = 0;  // 0: no limit of its own
  std::uint64_t memory_bytes = 0, memory_limit_bytes = 0;
  double io_bytes_per_s = 0;
};

enum class TopOrder { kCpu, kMemory, kRequests, kLatency, kIo, kQueue, kName };
[[nodiscard]] std::optional<TopOrder> parse_top_order(std::string_view word);
[[nodiscard]] std::string_view top_order_name(TopOrder order);

// Of the apps that both answers have, and of those that are new.
[[nodiscard]] std::vector<TopRow> measure_top(const nlohmann::json& before, const nlohmann::json& now, double seconds);
void sort_top(std::vector<TopRow>& rows, TopOrder order);

// A title line and one line for each row, none of them longer than the terminal is wide.  Narrow ones have fewer
// columns.
[[nodiscard]] std::vector<std::string> render_top(const std::vector<TopRow>& rows, const Terminal& terminal);
[[nodiscard]] nlohmann::ordered_json top_json(const std::vector<TopRow>& rows, double seconds);

}  // namespace rowhouse::cli
