#include "control/followers.h"

#include <algorithm>
#include <vector>

namespace rowhouse::control {

std::size_t Followers::count_of(uid_t uid) const {
  const auto is_of_uid = [uid](const auto& follower) { return follower.second.uid == uid; };
  return static_cast<std::size_t>(std::count_if(followers_.begin(), followers_.end(), is_of_uid));
}

void Followers::close_unpermitted(const Registry& registry) {
  std::vector<ConnectionId> unpermitted;
  for (const auto& [id, follower] : followers_) {
    if (!registry.may_see(follower.uid, follower.app.tenant)) unpermitted.push_back(id);
  }
  for (const ConnectionId id : unpermitted) server_.close(id);
}

void Followers::on_log_line(const AppName& app, const LogLine& line) {
  if (followers_.empty()) return;
  std::vector<ConnectionId> readers;
  for (const auto& [id, follower] : followers_) {
    const bool wants_access = follower.stream == LogStream::kAccess;
    const bool same = follower.app == app && wants_access == (line.stream == LogStream::kAccess);
    if (same && follower.filter.wants(line)) readers.push_back(id);
  }
  if (readers.empty()) return;
  const std::string json = log_line_json(line);
  // A client may go, and with it its entry, while it is written to.
  for (const ConnectionId id : readers) stream_line(id, json, line);
}

void Followers::stream_line(ConnectionId id, const std::string& json, const LogLine& line) {
  const auto follower = followers_.find(id);
  if (follower == followers_.end()) return;
  std::string bytes;
  if (follower->second.lost_lines > 0) {
    const std::string text =
        std::to_string(follower->second.lost_lines) + " lines left out: this client is too slow";
    bytes = log_line_json({LogStream::kRowhouse, line.at, line.generation, 0, text});
  }
  bytes += json;
  const std::uint64_t lost_before = follower->second.lost_lines;
  follower->second.lost_lines = 0;
  if (server_.try_stream(id, bytes)) return;
  const auto still = followers_.find(id);
  if (still != followers_.end()) still->second.lost_lines = lost_before + 1;
}

}  // namespace rowhouse::control
