// Who ordered what through the API, and what came of it: one line for each order, written to disk before its answer
// leaves.  Read by administrators.
//
// File: LOGS/_history/audit.jsonl.  Bounded for the host and for each tenant like the events, so that a tenant that
// orders all day pushes out nobody else's orders.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "control/answer.h"
#include "control/event_log.h"
#include "control/target.h"

namespace rowhouse::control {

class Audit final : EventListener {
 public:
  // Orders that are under way: one for each connection and operation, and those whose clients have gone.
  static constexpr std::size_t kMaxOpen = 4096;

  explicit Audit(const Clock& clock);
  // REQUIRES: before everything else.
  void open(const LogDirectory& directory) { log_.open(directory); }

  // An order has come; its answer goes to `key`.
  void begin(std::uint64_t key, uid_t uid, const std::string& method, const Target& target);
  // It is followed under another key from now on.
  void rename(std::uint64_t from, std::uint64_t to);
  // Its answer.  What is no order is ignored.
  void end(std::uint64_t key, const Answer& answer);

  [[nodiscard]] const EventLog& log() const { return log_; }

 private:
  struct Order {
    uid_t uid = 0;
    std::string method, path;
    AppName subject;
  };
  void on_event(const Event&) override {}

  EventLog log_;
  std::map<std::uint64_t, Order> open_;
};

}  // namespace rowhouse::control
