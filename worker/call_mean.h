// The mean time of the app's calls over the current and the previous window of 100 ms.  It decides whether a
// reading thread may run a call itself; a mean over windows forgets an outlier in time, and only then.
#pragma once

#include <optional>

#include "base/clock.h"

namespace rowhouse::worker {

class CallMean {
 public:
  void add(Instant now, Duration call) {
    if (now - window_begun_ >= kWindow) {
      const bool adjacent = now - window_begun_ < 2 * kWindow;
      previous_ = adjacent ? current_ : Window{};
      current_ = Window{};
      window_begun_ = now;
    }
    current_.total += call;
    ++current_.calls;
  }

  // Nothing before the first call.
  [[nodiscard]] std::optional<Duration> mean() const {
    const auto calls = current_.calls + previous_.calls;
    if (calls == 0) return std::nullopt;
    return (current_.total + previous_.total) / calls;
  }

 private:
  static constexpr Duration kWindow = std::chrono::milliseconds(100);
  struct Window {
    Duration total{};
    Duration::rep calls = 0;
  };
  Instant window_begun_{};
  Window current_;
  Window previous_;
};

}  // namespace rowhouse::worker
