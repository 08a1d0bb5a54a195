// Metrics and usage: what the meters say now, and what the database says of a period.
#include <algorithm>
#include <set>
#include <utility>

#include "control/api.h"
#include "control/metrics_text.h"
#include "control/usage_json.h"

namespace rowhouse::control {

void Api::answer_metrics(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {}) || !check_body(call)) return;
  if (!check_unsent(call.id, call.uid)) return;
  MetricsScope scope;
  scope.with_host = parts_.registry.role_of(call.uid) == Role::kAdmin;
  scope.access_records_dropped = parts_.book.access_records_dropped();
  const std::vector<std::string> own = parts_.registry.tenants_of(call.uid);
  scope.is_visible = [all = scope.with_host, visible = std::set<std::string>(own.begin(), own.end())](
                         const std::string& tenant) { return all || visible.contains(tenant); };
  if (const auto at = parts_.ledger.sampled_at()) {
    scope.sample_age_s = std::chrono::duration<double>(parts_.clock.now() - *at).count();
  }
  Answer answer;
  answer.content_type = kMetricsType;
  answer.body = metrics_text(parts_.ledger.meters(), scope);
  budgets_.charge(call.uid, static_cast<std::int64_t>(answer.body.size()) / CallerBudgets::kUnitBytes);
  send(call.id, answer);
}

std::optional<Api::UsageRequest> Api::parse_usage_request(const Call& call) {
  const Target& target = call.target;
  const std::int64_t now_s = parts_.clock.wall_ms() / 1000;
  const std::string from = target.parameter("from"), to = target.parameter("to"), period = target.parameter("period");
  const std::string step = target.parameter("step"), format = target.parameter("format");
  const auto named = parse_period(period.empty() ? "24h" : period, now_s);
  const auto begin = parse_hour(from), end = parse_hour(to);
  const auto wanted_step = step.empty() ? UsageStep::kTotal : parse_usage_step(step);
  const bool bounds = !from.empty() || !to.empty();
  const char* mistake = nullptr;
  if (!named) mistake = "period must be a month (2026-10), a day (2026-10-05), or the last hours or days (24h, 30d).";
  if (bounds && (!begin || !end || *begin >= *end))
    mistake = "from and to must be days (2026-10-05) or full hours (2026-10-05T13:00:00Z), from before to.";
  if (bounds && !period.empty()) mistake = "period and from or to exclude each other.";
  if (!wanted_step) mistake = "step must be hour, day or total.";
  if (!format.empty() && format != "json" && format != "csv") mistake = "format must be json or csv.";
  if (mistake != nullptr) {
    fail(call.id, {400, "bad_request", mistake, "", ""});
    return std::nullopt;
  }
  UsageRequest wanted;
  wanted.period = bounds ? UsagePeriod{*begin, *end} : *named;
  wanted.step = *wanted_step;
  wanted.csv = format == "csv";
  wanted.tenant = target.parameter("tenant");
  return wanted;
}

void Api::answer_usage(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_body(call) ||
      !check_parameters(call, {"tenant", "from", "to", "period", "step", "format"})) {
    return;
  }
  const auto wanted = parse_usage_request(call);
  if (!wanted) return;
  if (!wanted->tenant.empty() && !parts_.registry.may_see(call.uid, wanted->tenant)) {
    return fail_not_found(call.id, wanted->tenant);
  }
  if (!check_unsent(call.id, call.uid)) return;
  UsageQuery query{wanted->period.from_s, wanted->period.to_s, wanted->step, {}};
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  if (!wanted->tenant.empty()) {
    query.tenants = {wanted->tenant};
  } else if (!admin) {
    query.tenants = parts_.registry.tenants_of(call.uid);
  }
  parts_.ledger.write_now();
  auto rows = parts_.ledger.store().read(query);
  if (!rows.ok() && rows.error().code == ErrorCode::kTooLarge) {
    return fail(call.id, {422, "failed", "There are too many rows: ask for a shorter period, a longer step or one tenant.", "", ""});
  }
  if (!rows.ok()) return fail(call.id, {503, "unavailable", "The usage database cannot be read.", "", ""});
  UsageReport report{wanted->period, wanted->step, parts_.clock.wall_ms() / 1000, std::move(rows).value()};
  if (wanted->step == UsageStep::kTotal) add_idle_tenants(report, query.tenants.empty() ? parts_.registry.tenants() : query.tenants);
  Answer answer;
  answer.body = wanted->csv ? usage_csv(report) : usage_json(report, parts_.ledger.meters());
  if (wanted->csv) answer.content_type = "text/csv; charset=utf-8; header=present";
  budgets_.charge(call.uid, static_cast<std::int64_t>(answer.body.size()) / CallerBudgets::kUnitBytes);
  send(call.id, answer);
}

// A panel bills all of its customers, also those that used nothing.
void Api::add_idle_tenants(UsageReport& report, const std::vector<std::string>& tenants) {
  std::set<std::string> told;
  for (const UsageRow& row : report.rows) told.insert(row.tenant);
  for (const std::string& tenant : tenants) {
    if (!told.contains(tenant)) report.rows.push_back({tenant, report.period.from_s, {}});
  }
  std::sort(report.rows.begin(), report.rows.end(),
            [](const UsageRow& a, const UsageRow& b) { return a.tenant < b.tenant; });
}

}  // namespace rowhouse::control
