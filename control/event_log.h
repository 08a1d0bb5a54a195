// The events of the host: one numbered stream, on disk, of which each caller is shown what it may see.  Bounded for
// the host and for each tenant, so that nobody pushes out what happened to others.
//
// File: LOGS/_history/events.jsonl, one event a line.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "control/journal.h"
#include "control/log_directory.h"
#include "control/story.h"

namespace rowhouse::control {

struct Event {
  std::uint64_t id = 0;
  std::string type;    // "died"
  std::string tenant;  // empty: of the host itself
  std::string app;
  std::string json;  // as the API shows it
};

class EventListener {
 public:
  virtual ~EventListener() = default;
  virtual void on_event(const Event& event) = 0;
};

class EventLog {
 public:
  static constexpr std::size_t kMaxEvents = 8192;
  static constexpr std::size_t kMaxPerTenant = 512;
  static constexpr std::size_t kMaxFileBytes = 64 * 1024 * 1024;  // read of the file
  static constexpr std::size_t kMaxWasteBytes = 1024 * 1024;      // beside twice what is kept: then it is written anew
  static constexpr std::size_t kMaxTextBytes = 512;               // of one field
  // Numbers that were given out and did not reach the disk before a crash are not given out again.
  static constexpr std::uint64_t kIdGap = 1024;

  // The file's name, and whether each event waits for the disk.
  struct Store {
    const char* file = "events.jsonl";
    Durability durability = Durability::kLater;
  };
  // All must outlive this object.
  EventLog(const Clock& clock, EventListener& listener) : EventLog(clock, listener, Store()) {}
  EventLog(const Clock& clock, EventListener& listener, Store store) : clock_(clock), listener_(listener), store_(store) {}
  // Reads what an earlier process has left.
  void open(const LogDirectory& directory);

  // `fields` follow id, at, type, tenant and app.  `at_ms` 0: now.
  void add(std::string_view type, const AppName& app, Json fields, std::int64_t at_ms = 0);

  // Removes the tenant's events, from the file too.
  void forget(const std::string& tenant);

  using Filter = std::function<bool(const Event&)>;
  struct Page {
    std::vector<const Event*> events;  // borrowed until the next add()
    std::uint64_t next = 0;            // `since` of the next page
  };
  // At most `limit` events after the number `since` that pass the filter, oldest first.
  [[nodiscard]] Page read(std::uint64_t since, std::size_t limit, const Filter& filter) const;
  // The number before the oldest event that is still known; 0: everything is.
  [[nodiscard]] std::uint64_t forgotten_until() const { return forgotten_until_; }
  [[nodiscard]] std::uint64_t last_id() const { return next_id_ - 1; }

 private:
  void keep(Event event);
  void make_room(const std::string& tenant);
  void write(const Event& event);
  void rewrite(int history_fd, const Event* added);

  const Clock& clock_;
  EventListener& listener_;
  Store store_;
  const LogDirectory* directory_ = nullptr;
  std::deque<Event> events_;
  std::size_t bytes_ = 0;                                // of all events
  std::unordered_map<std::string, std::size_t> counts_;  // by tenant
  std::uint64_t next_id_ = 1;
  std::uint64_t forgotten_until_ = 0;
};

}  // namespace rowhouse::control
