// The audit: who ordered what.  Only for administrators.
#include "control/api.h"
#include "control/numbers.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kDefaultOrders = 100;
constexpr std::size_t kMaxPage = 1000;

}  // namespace

void Api::answer_audit(const Call& call) {
  if (!check_method(call, kReadMethods)) return;
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    return fail(call.id, {403, "forbidden", "Only administrators may read the audit.", "", ""});
  }
  if (!check_parameters(call, {"since", "limit", "tenant"}) || !check_body(call)) return;
  const auto since = parse_number(call.target.parameter("since"), 0);
  const auto limit = parse_number(call.target.parameter("limit"), kDefaultOrders);
  const std::string tenant = call.target.parameter("tenant");
  const char* mistake = nullptr;
  if (!since) mistake = "since must be the number of an order, or 0.";
  if (!limit || *limit < 1 || *limit > kMaxPage) mistake = "limit must be a number from 1 to 1000.";
  if (!tenant.empty() && !is_name(tenant)) mistake = "tenant must be a tenant's name.";
  if (mistake != nullptr) return fail(call.id, {400, "bad_request", mistake, "", ""});
  const EventLog& log = parts_.chronicle.audit().log();
  const EventLog::Page page = log.read(*since, *limit, [&](const Event& order) {
    return tenant.empty() || order.tenant == tenant;
  });
  if (!check_unsent(call.id, call.uid)) return;
  Answer answer;
  answer.body = "{\"orders\":[";
  for (std::size_t i = 0; i < page.events.size(); ++i) answer.body.append(i == 0 ? "" : ",").append(page.events[i]->json);
  answer.body += "],\"next\":" + std::to_string(page.next) +
                 ",\"forgotten_until\":" + std::to_string(log.forgotten_until()) + "}\n";
  send(call.id, answer);
}

}  // namespace rowhouse::control
