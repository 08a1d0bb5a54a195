// Usage as JSON and as CSV.  Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/meters.h"
#include "control/usage_period.h"
#include "control/usage_store.h"

namespace rowhouse::control {

struct UsageReport {
  UsagePeriod period;
  UsageStep step = UsageStep::kTotal;
  std::int64_t now_s = 0;
  std::vector<UsageRow> rows;  // by tenant, then by time
};

[[nodiscard]] std::string_view usage_step_name(UsageStep step);
[[nodiscard]] std::optional<UsageStep> parse_usage_step(std::string_view text);

// `meters`: the limits that are in force now.
[[nodiscard]] std::string usage_json(const UsageReport& report, const Meters& meters);
// RFC 4180, with a header line; lines end in CR LF.
[[nodiscard]] std::string usage_csv(const UsageReport& report);

}  // namespace rowhouse::control
