// A tenant's connections and bytes over its apps and over all gateways, and the line of those who wait to write, in
// virtual time.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "gateway/pacer.h"

namespace rowhouse::gateway {
namespace {

using namespace std::chrono_literals;

struct Table {
  std::unique_ptr<proto::TrafficCell[]> cells = std::make_unique<proto::TrafficCell[]>(6);
  // App `row` as gateway `own` of two sees it.
  TrafficShare share(std::size_t row, std::uint32_t own) { return {cells.get() + 2 * row, own, 2}; }
};

class Writer final : public PacedWriter {
 public:
  Writer(Pacer& pacer, std::uint64_t bytes) : pacer_(pacer), left(bytes) {}
  void on_turn_to_write() override { its_turn = true; }
  void write(Instant now) {
    its_turn = false;
    const std::uint64_t sent = std::min(left, pacer_.grant(*this, now));
    left -= sent;
    pacer_.note_sent(*this, sent, left > 0 ? Pacer::Wish::kMore : Pacer::Wish::kNothing, now);
  }

 private:
  Pacer& pacer_;

 public:
  std::uint64_t left;
  bool its_turn = false;
};

struct Line {
  Table table;
  TenantTraffic traffic;
  Deadlines deadlines;
  Pacer pacer{deadlines, traffic};
  int wakes = 0;

  explicit Line(std::uint64_t bytes_per_second) {
    traffic.set_app(7, table.share(0, 0));
    traffic.set_limits({0, bytes_per_second});
  }
  // What the loop does until `end`, waking when the deadlines ask for it.
  void run_until(Instant end, const std::vector<Writer*>& writers) {
    while (const auto at = deadlines.wake_at()) {
      if (*at > end) return;
      ++wakes;
      deadlines.expire(*at);
      for (Writer* writer : writers) {
        if (writer->its_turn) writer->write(*at);
      }
    }
  }
};

TEST_CASE("connections of all apps and gateways are counted together, and never more than the limit") {
  Table table;
  TenantTraffic here, there;
  for (TenantTraffic* traffic : {&here, &there}) {
    const std::uint32_t own = traffic == &here ? 0 : 1;
    traffic->set_limits({3, 0});
    traffic->set_app(7, table.share(0, own));
    traffic->set_app(8, table.share(1, own));
  }
  CHECK(here.enter());
  CHECK(there.enter());
  CHECK(here.enter());
  CHECK_FALSE(here.enter());
  CHECK_FALSE(there.enter());
  here.leave();
  CHECK(there.enter());
  CHECK_FALSE(here.enter());
  here.set_limits({5, 0});
  CHECK(here.enter());
}

TEST_CASE("the count moves with the apps and leaves nothing in rows that are given back") {
  Table table;
  table.cells[2].connections.store(9);  // of an app that had row 1 before
  TenantTraffic traffic;
  traffic.set_limits({4, 0});
  traffic.set_app(8, table.share(1, 0));
  CHECK(table.cells[2].connections.load() == 0);
  CHECK(traffic.enter());
  CHECK(traffic.enter());
  CHECK(table.cells[2].connections.load() == 2);
  traffic.set_app(7, table.share(0, 0));
  CHECK(table.cells[0].connections.load() + table.cells[2].connections.load() == 2);
  traffic.remove_app(7);
  CHECK(table.cells[0].connections.load() == 0);
  CHECK(table.cells[2].connections.load() == 2);
  traffic.remove_app(8);
  CHECK(table.cells[2].connections.load() == 0);
  CHECK(traffic.connections() == 2);
  CHECK_FALSE(traffic.has_apps());
  traffic.leave();
  traffic.leave();
}

TEST_CASE("a second's worth of bytes at once, then as many as the time brings, over all gateways") {
  Table table;
  TenantTraffic here, there;
  for (TenantTraffic* traffic : {&here, &there}) {
    traffic->set_limits({0, 1000});
    traffic->set_app(7, table.share(0, traffic == &here ? 0 : 1));
  }
  const Instant start{1s};
  CHECK(here.available(start) == 1000);
  CHECK(there.available(start) == 1000);
  here.take(600);
  CHECK(here.available(start) == 400);
  CHECK(there.available(start + 100ms) == 500);  // 600 of the other, and what a tenth of a second brings
  there.take(500);
  CHECK(here.available(start + 100ms) == 0);
  CHECK(here.available_at(50) == start + 150ms);
  CHECK(here.available(start + 10s) == 1000);
}

TEST_CASE("a gateway that died leaves the others a sound bucket") {
  Table table;
  TenantTraffic here;
  here.set_limits({0, 1000});
  here.set_app(7, table.share(0, 0));
  const Instant start{1s};
  table.cells[1].bytes_out.store(5000);
  CHECK(here.available(start) == 1000);
  table.cells[1].bytes_out.store(0);
  CHECK(here.available(start + 1s) == 1000);
}

TEST_CASE("who finds the bucket empty waits in line, and the line shares what comes") {
  Line line(100'000);
  const Instant start{1s};
  Writer first(line.pacer, 300'000), second(line.pacer, 300'000), third(line.pacer, 300'000);
  const std::vector<Writer*> all{&first, &second, &third};
  for (Writer* writer : all) writer->write(start);
  CHECK(first.left == 200'000);  // the second's worth
  CHECK(second.left == 300'000);
  CHECK(line.pacer.is_waiting(second));
  line.run_until(start + 3s, all);
  CHECK(first.left + second.left + third.left == doctest::Approx(500'000).epsilon(0.01));
  for (const Writer* writer : all) CHECK(writer->left < 300'000 - 90'000);
  // It wakes for what a step brings, and never for nothing.
  CHECK(line.wakes <= 3000 / 20 + 1);
  line.run_until(start + 20s, all);
  CHECK(first.left + second.left + third.left == 0);
  CHECK_FALSE(line.deadlines.wake_at().has_value());
}

TEST_CASE("one that leaves gives back what was kept for it") {
  Line line(100'000);
  const Instant start{1s};
  Writer first(line.pacer, 200'000), second(line.pacer, 200'000);
  first.write(start);
  second.write(start);
  line.deadlines.expire(start + 20ms);
  REQUIRE(first.its_turn);
  line.pacer.leave(first);
  CHECK_FALSE(line.pacer.is_waiting(first));
  line.run_until(start + 5s, {&second});
  CHECK(second.left == 0);
}

TEST_CASE("a limit that is lifted lets everybody go, and a new one begins with a full bucket") {
  Line line(1000);
  const Instant start{1s};
  Writer writer(line.pacer, 5000);
  writer.write(start);
  CHECK(writer.left == 4000);
  line.traffic.set_limits({});
  line.pacer.on_limits(start);
  REQUIRE(writer.its_turn);
  writer.write(start);
  CHECK(writer.left == 0);
  line.traffic.set_limits({0, 2000});
  CHECK(line.pacer.grant(writer, start + 1ms) == 2000);
}

}  // namespace
}  // namespace rowhouse::gateway
