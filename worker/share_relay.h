// Between the process's lifeline and those of the apps that share the process: the main thread relays, so that to each app
// its lifeline is what it is to an app that is alone.
//
//   supervisor ==lifeline== main thread --+-- lifeline of the first app
//                                         +-- lifeline of the second app ...
//
//   CHANNEL for an app     to that app
//   DRAIN, SIGTERM         to all
//   READY of all           READY        FAILED of one   FAILED        DRAINED of all   DRAINED
//
// Knows no Python.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/lifeline.h"

namespace rowhouse::worker {

class ShareRelay {
 public:
  ShareRelay(Lifeline& process, const Clock& clock) : process_(process), clock_(clock) {}
  ShareRelay(const ShareRelay&) = delete;
  ShareRelay& operator=(const ShareRelay&) = delete;

  Status open(std::size_t apps);
  [[nodiscard]] Lifeline& lifeline_of(std::size_t app) { return *apps_[app].lifeline; }
  // A byte written here makes run() look whether SIGTERM came.  Does not block.
  [[nodiscard]] int wake_descriptor() const { return wake_.get(); }

  // BLOCKS: until the log of each further app has come; in their order.
  Result<std::vector<UniqueFd>> receive_logs();
  // BLOCKS: until the app, whose thread has been started, is ready (kNone) or has failed.
  [[nodiscard]] proto::StartStep wait_until_ready(std::size_t app);
  // One bit for each that has an event loop.
  [[nodiscard]] std::uint32_t event_loops() const { return event_loops_; }
  // BLOCKS: until all are drained, or have had their time after SIGTERM.
  void run();

 private:
  struct App {
    UniqueFd end;  // ours
    std::unique_ptr<Lifeline> lifeline;
    bool drained = false;
  };
  void take_orders();
  void take_word(App& app);
  void take_wake();
  void drain_all();
  void abandon_orders();
  [[nodiscard]] bool is_over(Instant now) const;

  Lifeline& process_;
  const Clock& clock_;
  std::vector<App> apps_;
  UniqueFd wake_, woken_;
  std::uint32_t event_loops_ = 0;
  bool process_open_ = true;
  Instant end_at_ = Instant::max();
};

}  // namespace rowhouse::worker
