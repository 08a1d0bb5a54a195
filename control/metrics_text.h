// The metrics as Prometheus reads them: text exposition format 0.0.4.  Every name, its type and its sentence stand in
// docs/metrics.md too, and the dashboard in etc/ uses no other (tests/system/test_metrics.py).
//
// The number of series is bounded: those of an app are a fixed set, and labels are names that the registry has, states
// and causes.  Nothing that a visitor sends becomes a label.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/meters.h"

namespace rowhouse::control {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsScope {
  // Whose tenants are told.
  std::function<bool(const std::string& tenant)> is_visible;
  // Of the host; only admins are told.
  bool with_host = false;
  double sample_age_s = -1;  // negative: there was none yet
  std::uint64_t access_records_dropped = 0;
};

[[nodiscard]] std::string metrics_text(const Meters& meters, const MetricsScope& scope);

}  // namespace rowhouse::control
