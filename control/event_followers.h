// The clients that follow the events, as server-sent events (HTML Standard, 9.2).  One that reads too slowly is ended:
// it asks again with the number of the last event that it has.
#pragma once

#include <map>
#include <string>

#include "control/api_server.h"
#include "control/event_log.h"

namespace rowhouse::control {

// What of the events one caller wants and may see.
struct EventScope {
  uid_t uid = 0;
  std::string tenant;  // empty: of all that it may see
  std::string app;
};
[[nodiscard]] bool may_see_event(const Registry& registry, const EventScope& scope, const Event& event);

// "id: 7\nevent: died\ndata: {...}\n\n".
[[nodiscard]] std::string format_server_event(const Event& event);

class EventFollowers final : public EventListener {
 public:
  static constexpr std::size_t kMaxPerTenantUid = 8;

  EventFollowers(ApiServer& server, const Registry& registry) : server_(server), registry_(registry) {}

  void add(ConnectionId id, EventScope scope) { followers_[id] = std::move(scope); }
  void remove(ConnectionId id) { followers_.erase(id); }
  [[nodiscard]] std::size_t count_of(uid_t uid) const;
  void on_event(const Event& event) override;

 private:
  ApiServer& server_;
  const Registry& registry_;
  std::map<ConnectionId, EventScope> followers_;
};

}  // namespace rowhouse::control
