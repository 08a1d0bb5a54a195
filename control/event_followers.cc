#include "control/event_followers.h"

#include <algorithm>
#include <vector>

namespace rowhouse::control {

bool may_see_event(const Registry& registry, const EventScope& scope, const Event& event) {
  if (!scope.tenant.empty() && event.tenant != scope.tenant) return false;
  if (!scope.app.empty() && event.app != scope.app) return false;
  if (registry.role_of(scope.uid) == Role::kAdmin) return true;
  return !event.tenant.empty() && registry.may_see(scope.uid, event.tenant);
}

std::string format_server_event(const Event& event) {
  return "id: " + std::to_string(event.id) + "\nevent: " + event.type + "\ndata: " + event.json + "\n\n";
}

std::size_t EventFollowers::count_of(uid_t uid) const {
  return static_cast<std::size_t>(
      std::count_if(followers_.begin(), followers_.end(), [uid](const auto& each) { return each.second.uid == uid; }));
}

void EventFollowers::on_event(const Event& event) {
  std::vector<ConnectionId> readers;
  for (const auto& [id, scope] : followers_) {
    if (may_see_event(registry_, scope, event)) readers.push_back(id);
  }
  const std::string bytes = readers.empty() ? std::string() : format_server_event(event);
  // A client may go, and with it its entry, while it is written to.
  for (const ConnectionId id : readers) {
    if (followers_.contains(id) && !server_.try_stream(id, bytes)) server_.close(id);
  }
}

}  // namespace rowhouse::control
