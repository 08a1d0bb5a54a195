// What was ordered with `wait=0`: followed by an id while it runs, and its answer kept for a while after.  In memory
// only: every order can be repeated.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/answer.h"

namespace rowhouse::control {

struct Operation {
  std::string id;
  uid_t uid = 0;  // who ordered it
  std::string method, path;
  std::int64_t begun_ms = 0, ended_ms = 0;
  std::optional<Answer> answer;  // nothing: it runs
};

class Operations {
 public:
  // An order's answer goes to a number of its own in the place of a connection's; no connection has one of these.
  using Key = std::uint64_t;
  static constexpr Key kFirstKey = Key{1} << 63;
  static constexpr std::size_t kMaxKept = 1024;
  static constexpr std::size_t kMaxRunningPerUid = 64;

  // `seed` makes the ids of one process different from those of the next.
  Operations(const Clock& clock, std::uint64_t seed) : clock_(clock), seed_(seed) {}

  [[nodiscard]] static bool is_key(Key key) { return key >= kFirstKey; }
  [[nodiscard]] bool has_room(uid_t uid) const;
  [[nodiscard]] Key begin(uid_t uid, std::string method, std::string path);
  // The order's answer.  Those who wait for it are told.
  void finish(Key key, Answer answer);
  // It was answered at once, so that there is nothing to follow.
  [[nodiscard]] std::optional<Answer> take(Key key);
  [[nodiscard]] const Operation* find(Key key) const;
  // Null when there is none, or it is too old.
  [[nodiscard]] const Operation* find(const std::string& id) const;

  // `connection` waits for the end of a running one.
  void wait(const std::string& id, std::uint64_t connection) { waiting_[connection] = id; }
  void forget_connection(std::uint64_t connection) { waiting_.erase(connection); }
  // Called for each that waited, when what it waited for has ended.
  using EndCallback = std::function<void(std::uint64_t connection, const Operation&)>;
  void set_on_end(EndCallback on_end) { on_end_ = std::move(on_end); }

 private:
  const Clock& clock_;
  std::uint64_t seed_;
  Key next_key_ = kFirstKey;
  std::map<Key, Operation> operations_;
  std::map<std::uint64_t, std::string> waiting_;  // connections, with the id
  EndCallback on_end_;
};

}  // namespace rowhouse::control
