// Keeps the meters: asks the supervisor for a few apps at a time, again and again, and writes down what has grown.
//
//   every kRoundPeriod: page, pause, page, pause ... all apps seen -> written down
//
// A round asks no faster than one page in kPagePause, so on a host with very many apps it takes longer and costs the
// supervisor no more.  A death is acknowledged to the supervisor only when it is on a bill that is on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "control/inquiries.h"
#include "control/meters.h"
#include "control/registry.h"
#include "control/usage_store.h"

namespace rowhouse::control {

class UsageLedger {
 public:
  static constexpr std::chrono::milliseconds kRoundPeriod{10'000};
  static constexpr std::chrono::milliseconds kPagePause{10};
  // Deaths come in flocks: one transaction for all.
  static constexpr std::chrono::milliseconds kDeathPause{100};
  // After a failed one, such as on a full disk.
  static constexpr std::chrono::milliseconds kRetryPause{5'000};

  using StoredCallback = std::function<void(const proto::DeathStored&)>;
  // All must outlive this object.
  UsageLedger(uv_loop_t* loop, const Clock& clock, const Registry& registry, Inquiries& inquiries,
              StoredCallback on_stored);

  // Where the database is; without it nothing is written down.  REQUIRES: before everything else.
  void open(UniqueFd directory);
  void start();
  // The last act of the program.
  void close();

  void add_death(const AppName& name, const proto::Death& death);
  // Everybody else has stored this death: acknowledges it when it is written down here too.
  void acknowledge(const proto::DeathStored& stored);
  // What nobody has asked for: the last word before the counters go.
  void take_last_usage(const proto::AppUsage& usage);
  void take_last_traffic(const proto::AppTraffic& traffic);
  void take_last_usage(const proto::TenantUsage& usage);

  [[nodiscard]] const Meters& meters() const { return meters_; }
  [[nodiscard]] UsageStore& store() { return store_; }
  // Writes down what is known, so that an answer has it.
  void write_now() { commit(); }
  // When the last round was complete; nothing before the first.
  [[nodiscard]] std::optional<Instant> sampled_at() const { return sampled_at_; }

 private:
  void begin_round();
  void ask_page();
  void on_page(std::optional<StatusFound> found);
  void commit();

  const Clock& clock_;
  const Registry& registry_;
  Inquiries& inquiries_;
  StoredCallback on_stored_;
  Meters meters_;
  UsageStore store_;
  std::vector<proto::DeathStored> acknowledged_;  // as soon as they are written
  std::uint32_t after_app_ = 0;
  Instant round_began_{};
  std::optional<Instant> sampled_at_;
  Timer next_page_;
  Timer writing_;
};

}  // namespace rowhouse::control
