#include "worker/call_cost.h"

#include <algorithm>
#include <ctime>

namespace rowhouse::worker {
namespace {

constexpr Duration kFresh = std::chrono::milliseconds(1);

std::uint8_t share_of(Duration part, Duration whole) {
  constexpr Duration::rep kWhole = proto::kMaxEndShare - 1;
  if (whole <= Duration::zero()) return 0;
  const Duration::rep share = (part.count() * kWhole + whole.count() / 2) / whole.count();
  return static_cast<std::uint8_t>(1 + std::clamp<Duration::rep>(share, 0, kWhole));
}

}  // namespace

Duration CallCost::read_thread_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec / 1000);
}

CallCost& CallCost::mine() {
  thread_local CallCost cost;
  return cost;
}

void CallCost::read(Instant now) {
  cpu_at_read_ = cpu_clock_();
  read_at_ = now;
}

void CallCost::begin(Instant now) {
  begun_ = now;
  gil_wait_ = Duration::zero();
  if (now - read_at_ >= kFresh) read(now);
}

proto::End CallCost::end(Instant now) {
  const Duration service = std::max(now - begun_, Duration::zero());
  proto::End end;
  end.service_us = static_cast<std::uint64_t>(service.count());
  end.gil_wait = share_of(gil_wait_, service);
  if (service < kFresh) return end;
  const Duration before = cpu_at_read_;
  read(now);
  end.cpu = share_of(cpu_at_read_ - before, service);
  return end;
}

}  // namespace rowhouse::worker
