#include <doctest/doctest.h>

#include "worker/call_mean.h"

using namespace rowhouse;
using rowhouse::worker::CallMean;
using std::chrono::milliseconds;

TEST_CASE("before the first call there is no mean") {
  CHECK_FALSE(CallMean().mean());
}

TEST_CASE("the mean is over the current and the previous window") {
  CallMean mean;
  const Instant begin = Instant{} + std::chrono::hours(1);
  mean.add(begin, Duration(100));
  mean.add(begin + milliseconds(50), Duration(300));
  CHECK(*mean.mean() == Duration(200));
  mean.add(begin + milliseconds(120), Duration(500));
  CHECK(*mean.mean() == Duration(300));
  mean.add(begin + milliseconds(230), Duration(700));
  CHECK(*mean.mean() == Duration(600));
}

TEST_CASE("after a pause only the new call counts") {
  CallMean mean;
  const Instant begin = Instant{} + std::chrono::hours(1);
  mean.add(begin, Duration(100000));
  mean.add(begin + milliseconds(500), Duration(10));
  CHECK(*mean.mean() == Duration(10));
}
