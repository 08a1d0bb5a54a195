// All hooks: kept on disk, each brought its events in order, at least once.
//
//   idle --an event for it--> calling --taken--> pausing (kPause) --> idle
//                                \--not taken--> waiting (1 s ... 5 min) --> calling, the same events again
//
// A hook has one call at a time with at most kMaxBatch events, and begins at most one in kPause, so that what happens
// often costs little and nothing queues up here: what a hook has not taken stays in the event log, which is bounded;
// what the log has forgotten meanwhile is told as `forgotten_until`.  How far a hook is is written down after each
// call, so a crash repeats at most one batch.  No worker, gateway or caller ever waits for a hook.
//
// File: LOGS/_history/hooks.jsonl, one hook a line.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "control/event_log.h"
#include "control/hook.h"
#include "control/hook_call.h"
#include "control/log_directory.h"

namespace rowhouse::control {

class Hooks {
 public:
  static constexpr std::size_t kMaxBatch = 100;
  static constexpr std::chrono::milliseconds kPause{1'000};
  static constexpr std::chrono::milliseconds kFirstWait{1'000};
  static constexpr std::chrono::milliseconds kLongestWait{300'000};

  explicit Hooks(uv_loop_t* loop) : loop_(loop) {}
  // Reads the hooks and goes on.  REQUIRES: before everything else; both outlive this object.
  void open(const LogDirectory& directory, const EventLog& events);
  // Ends all calls: the program ends.
  void close() { hooks_.clear(); }

  // Durable when it returns.  A new hook gets the events from now on, a changed one goes on where it was.
  Status set(Hook hook);
  Status remove(const std::string& name);
  [[nodiscard]] bool has(const std::string& name) const { return hooks_.contains(name); }
  [[nodiscard]] std::size_t size() const { return hooks_.size(); }
  // In the order of their names, with their state.
  [[nodiscard]] nlohmann::ordered_json list() const;

  void on_event(const Event& event);

 private:
  struct Running {
    Hook hook;
    std::unique_ptr<HookCall> call;
    std::uint64_t until = 0;  // of the call: `delivered` when it is taken
    std::chrono::milliseconds wait = kFirstWait;
    std::uint64_t failures = 0;  // since the last success
    std::string problem;         // of the last call
    std::unique_ptr<Timer> timer;
  };
  void add(Hook hook);
  void go_on(const std::string& name);
  void on_done(const std::string& name, const std::string& problem);
  Status write() const;

  uv_loop_t* loop_;
  const EventLog* events_ = nullptr;
  const LogDirectory* directory_ = nullptr;
  std::map<std::string, Running> hooks_;
};

// An event goes to those that follow and to the hooks.
class EventSpread final : public EventListener {
 public:
  EventSpread(EventListener& followers, Hooks& hooks) : followers_(followers), hooks_(hooks) {}
  void on_event(const Event& event) override {
    followers_.on_event(event);
    hooks_.on_event(event);
  }

 private:
  EventListener& followers_;
  Hooks& hooks_;
};

}  // namespace rowhouse::control
