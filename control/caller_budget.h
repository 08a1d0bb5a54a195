// How much a tenant may ask of the API: every request costs the supervisor a question and everybody else a
// turn of the loop.  Admins have no budget.
#pragma once

#include <sys/types.h>

#include <map>

#include "control/token_bucket.h"

namespace rowhouse::control {

class CallerBudgets {
 public:
  // A request is one unit, and so is each kUnitBytes of log that it reads.
  static constexpr TokenBucket::Rate kRate{20, 100, 1};
  static constexpr std::int64_t kUnitBytes = 64 * 1024;
  // More callers than a host has tenants; when there are more, all begin anew.
  static constexpr std::size_t kMaxCallers = 16'384;

  explicit CallerBudgets(const Clock& clock) : clock_(clock) {}

  // False when the caller is over its budget; then nothing is taken.
  [[nodiscard]] bool try_take(uid_t uid, std::int64_t units) {
    return bucket_of(uid).try_take(units, clock_.now());
  }
  // For what is known only when it has been done.
  void charge(uid_t uid, std::int64_t units) { bucket_of(uid).charge(units, clock_.now()); }

 private:
  TokenBucket& bucket_of(uid_t uid) {
    if (buckets_.size() >= kMaxCallers && !buckets_.contains(uid)) buckets_.clear();
    return buckets_.try_emplace(uid, kRate, clock_.now()).first->second;
  }

  const Clock& clock_;
  std::map<uid_t, TokenBucket> buckets_;
};

}  // namespace rowhouse::control
