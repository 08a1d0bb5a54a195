#include <doctest/doctest.h>

#include "worker/call_cost.h"

using namespace rowhouse;
using namespace rowhouse::worker;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

Duration cpu{};
int readings = 0;

Duration read_cpu() {
  ++readings;
  return cpu;
}

Instant at(Duration since) {
  return Instant(std::chrono::hours(1)) + since;
}

}  // namespace

TEST_CASE("a request of a millisecond or more tells its CPU time and its wait for the GIL") {
  CallCost cost(read_cpu);
  cpu = milliseconds(500);
  cost.begin(at(milliseconds(0)));
  cost.add_gil_wait(milliseconds(5));
  cpu += milliseconds(10);
  const proto::End end = cost.end(at(milliseconds(20)));
  CHECK(end.service_us == 20'000);
  CHECK(end.cpu == 1 + 100);
  CHECK(end.gil_wait == 1 + 50);
}

TEST_CASE("short requests cost at most one reading of the clock in a millisecond, and tell no CPU time") {
  CallCost cost(read_cpu);
  readings = 0;
  for (int i = 0; i < 1000; ++i) {
    cost.begin(at(microseconds(10 * i)));
    const proto::End end = cost.end(at(microseconds(10 * i + 9)));
    CHECK(end.cpu == 0);
    CHECK(end.gil_wait == 1);
  }
  CHECK(readings == 10);
}

TEST_CASE("a share is never above the whole, nor is one told of no time") {
  CallCost cost(read_cpu);
  cpu = milliseconds(0);
  cost.begin(at(milliseconds(0)));
  cost.add_gil_wait(milliseconds(50));
  cpu = milliseconds(40);
  const proto::End more = cost.end(at(milliseconds(2)));
  CHECK(more.cpu == proto::kMaxEndShare);
  CHECK(more.gil_wait == proto::kMaxEndShare);
  cost.begin(at(milliseconds(9)));
  const proto::End none = cost.end(at(milliseconds(9)));
  CHECK(none.service_us == 0);
  CHECK(none.gil_wait == 0);
}

TEST_CASE("the wait of one request is not told of the next") {
  CallCost cost(read_cpu);
  cost.begin(at(milliseconds(0)));
  cost.add_gil_wait(milliseconds(1));
  [[maybe_unused]] const proto::End first = cost.end(at(milliseconds(2)));
  cost.begin(at(milliseconds(3)));
  CHECK(cost.end(at(milliseconds(5))).gil_wait == 1);
}
