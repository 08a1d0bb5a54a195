// How full a worker may be: prefetch depth and the deadlines' heap, in virtual time.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "gateway/byte_queue.h"
#include "gateway/deadlines.h"
#include "gateway/prefetch.h"

using namespace rowhouse;
using namespace rowhouse::gateway;
using namespace std::chrono_literals;

namespace {

Instant at(std::chrono::milliseconds time) {
  return Instant{} + 1h + time;
}

}  // namespace

TEST_CASE("without knowledge a worker gets one request at a time") {
  ServiceTimes times;
  CHECK(times.depth(at(0ms)) == 1);
}

TEST_CASE("the depth is what fits into fifty microseconds, from 1 to 16") {
  struct Row {
    std::uint16_t service_us;
    std::uint32_t depth;
  };
  for (const Row row :
       {Row{0, 16}, Row{1, 16}, Row{3, 10}, Row{8, 5}, Row{23, 2}, Row{24, 1}, Row{65535, 1}}) {
    ServiceTimes times;
    times.record(at(0ms), row.service_us);
    CHECK(times.depth(at(0ms)) == row.depth);
  }
}

TEST_CASE("one slow request outweighs many fast ones") {
  ServiceTimes times;
  for (int i = 0; i < 100; ++i) times.record(at(0ms), 2);
  CHECK(times.depth(at(1ms)) == 12);
  times.record(at(1ms), 5000);
  CHECK(times.depth(at(1ms)) == 1);
}

TEST_CASE("a time is remembered for its window and the next, then forgotten") {
  ServiceTimes times;
  times.record(at(0ms), 60000);
  CHECK(times.depth(at(99ms)) == 1);
  times.record(at(100ms), 0);
  CHECK(times.depth(at(199ms)) == 1);
  CHECK(times.depth(at(200ms)) == 16);
  CHECK(times.depth(at(300ms)) == 1);
  times.record(at(1000ms), 0);
  CHECK(times.depth(at(1000ms)) == 16);
  CHECK(times.depth(at(5000ms)) == 1);
}

TEST_CASE("deadlines fire in order, once, and not when cleared or moved on") {
  Deadlines all;
  std::vector<int> fired;
  std::vector<std::unique_ptr<Deadline>> deadlines;
  for (int i = 0; i < 20; ++i) {
    deadlines.push_back(std::make_unique<Deadline>(all, [&fired, i] { fired.push_back(i); }));
    deadlines.back()->set(at(std::chrono::milliseconds((i * 7) % 20)));
  }
  deadlines[3]->clear();
  deadlines[5]->set(at(100ms));
  deadlines[6]->set(at(0ms));
  deadlines.erase(deadlines.begin() + 9);
  all.expire(at(19ms));
  CHECK(fired.size() == 17);
  CHECK(fired.front() == 0);
  CHECK_FALSE(deadlines[0]->is_set());
  CHECK(deadlines[5]->is_set());
  const std::vector<int> before = fired;
  all.expire(at(99ms));
  CHECK(fired == before);
  all.expire(at(100ms));
  CHECK(fired.back() == 5);
  CHECK_FALSE(all.wake_at());
}

TEST_CASE("an expired deadline may set itself and destroy others") {
  Deadlines all;
  int count = 0;
  std::unique_ptr<Deadline> other;
  Deadline again(all, [&] {
    other.reset();
    if (++count < 3) again.set(at(std::chrono::milliseconds(count)));
  });
  other = std::make_unique<Deadline>(all, [] { FAIL("destroyed"); });
  other->set(at(1ms));
  again.set(at(0ms));
  all.expire(at(10ms));
  CHECK(count == 3);
}

TEST_CASE("a byte queue gives back what was put in, in order") {
  ByteQueue queue;
  std::string expected;
  std::string got;
  for (int i = 0; i < 5000; ++i) {
    const std::string part(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
    queue.append(part);
    expected += part;
    const std::size_t take = std::min<std::size_t>(queue.size(), static_cast<std::size_t>(i % 31));
    got += queue.view().substr(0, take);
    queue.consume(take);
  }
  got += queue.view();
  CHECK(got == expected);
  queue.clear();
  queue.release(0);
  CHECK(queue.empty());
}
