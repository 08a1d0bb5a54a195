// The clients that follow a log, and how each new line reaches them.  A client that reads too slowly loses
// lines, and is told how many; nobody waits for it.
#pragma once

#include <cstdint>
#include <map>

#include "control/api_server.h"
#include "control/app_log.h"
#include "control/log_filter.h"

namespace rowhouse::control {

class Followers final : public LogLineListener {
 public:
  explicit Followers(ApiServer& server) : server_(server) {}

  static constexpr std::size_t kMaxPerTenantUid = 8;

  // kAccess follows access.log, anything else app.log.  One log per connection.
  void add(ConnectionId id, uid_t uid, const AppName& app, LogStream stream, LogFilter filter) {
    followers_[id] = {uid, app, stream, std::move(filter), 0};
  }
  void remove(ConnectionId id) { followers_.erase(id); }
  [[nodiscard]] std::size_t count_of(uid_t uid) const;
  // Ends the connections of followers that may not see their app any more.
  void close_unpermitted(const Registry& registry);
  void on_log_line(const AppName& app, const LogLine& line) override;

 private:
  struct Follower {
    uid_t uid;
    AppName app;
    LogStream stream;
    LogFilter filter;
    std::uint64_t lost_lines;
  };
  void stream_line(ConnectionId id, const std::string& json, const LogLine& line);

  ApiServer& server_;
  std::map<ConnectionId, Follower> followers_;
};

}  // namespace rowhouse::control
