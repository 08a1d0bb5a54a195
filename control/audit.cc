#include "control/audit.h"

#include <utility>

#include "base/printable.h"
#include "control/json_strict.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kMaxPathBytes = 256;

// "/v1/tenants/T/..." and "/v1/apps/T/A/..." are about somebody.
AppName subject_of(const Target& target) {
  const std::vector<std::string>& path = target.segments;
  const bool tenants = path.size() >= 3 && path[1] == "tenants", apps = path.size() >= 4 && path[1] == "apps";
  AppName subject;
  if ((tenants || apps) && is_name(path[2])) subject.tenant = path[2];
  if (apps && !subject.tenant.empty() && is_name(path[3])) subject.app = path[3];
  return subject;
}

// The whole target, as it was understood.
std::string path_of(const Target& target) {
  std::string path;
  for (const std::string& segment : target.segments) path += "/" + terminal_safe(segment);
  char before = '?';
  for (const auto& [name, value] : target.parameters) {
    path += before + terminal_safe(name) + "=" + terminal_safe(value);
    before = '&';
  }
  return path.substr(0, kMaxPathBytes);
}

}  // namespace

Audit::Audit(const Clock& clock) : log_(clock, *this, {"audit.jsonl", Durability::kNow}) {}

void Audit::begin(std::uint64_t key, uid_t uid, const std::string& method, const Target& target) {
  if (open_.size() >= kMaxOpen) open_.erase(open_.begin());
  open_[key] = {uid, method, path_of(target), subject_of(target)};
}

void Audit::rename(std::uint64_t from, std::uint64_t to) {
  const auto found = open_.find(from);
  if (found == open_.end()) return;
  open_[to] = std::move(found->second);
  open_.erase(found);
}

void Audit::end(std::uint64_t key, const Answer& answer) {
  const auto found = open_.find(key);
  if (found == open_.end()) return;
  const Order order = std::move(found->second);
  open_.erase(found);
  Json fields{{"uid", order.uid}, {"method", order.method}, {"path", order.path}, {"status", answer.status}};
  const Json body = parse_object(answer.body);
  if (body.contains("error")) {
    fields["code"] = text_of(body["error"], "code");
    fields["message"] = text_of(body["error"], "message");
  }
  if (body.contains("changes")) fields["changes"] = body["changes"];
  log_.add("order", order.subject, std::move(fields));
}

}  // namespace rowhouse::control
