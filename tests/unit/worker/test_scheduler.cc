#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "gateway_end.h"
#include "worker/scheduler.h"

using namespace rowhouse;
using namespace rowhouse::worker;
using namespace rowhouse::worker::testing;

namespace {

// A scheduler with real threads and sockets; the calls are functions instead of Python.
class House {
 public:
  explicit House(unsigned threads) : House(threads, create_seqpacket_pair()) {}
  House(unsigned threads, Result<SocketPair> pair)
      : supervisor_(std::move(pair.value().ours)),
        lifeline_(std::move(pair.value().theirs)),
        scheduler(lifeline_, threads, clock_) {
    REQUIRE(scheduler.open().ok());
  }

  GatewayEnd add_gateway() {
    auto pair = create_stream_pair();
    REQUIRE(pair.ok());
    const int theirs[] = {pair.value().theirs.get()};
    REQUIRE(proto::send_lifeline(supervisor_.get(), {proto::LifelineType::kChannel, 0}, theirs).ok());
    GatewayEnd gateway(std::move(pair.value().ours));
    gateway.send(hello());
    return gateway;
  }

  void drain() { REQUIRE(proto::send_lifeline(supervisor_.get(), {proto::LifelineType::kDrain, 0}).ok()); }

  template <typename Call>
  void start(unsigned threads, Call call) {
    for (unsigned i = 0; i < threads; ++i) {
      threads_.emplace_back([this, call] {
        while (true) {
          Stream* stream = scheduler.try_next();
          if (stream == nullptr) {
            const Scheduler::Next next = scheduler.wait_next();
            if (next.turn == Scheduler::Turn::kEnd) return;
            if (next.turn == Scheduler::Turn::kCheck) scheduler.confirm_stall();
            stream = next.stream;
          }
          if (stream != nullptr) call(*stream);
          if (scheduler.is_flush_due()) scheduler.flush();
        }
      });
    }
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    scheduler.flush_all(std::chrono::seconds(5));
  }

 private:
  SystemClock clock_;
  UniqueFd supervisor_;
  Lifeline lifeline_;
  std::vector<std::thread> threads_;

 public:
  Scheduler scheduler;
};

void answer(Scheduler& scheduler, Stream& stream) {
  static_cast<void>(scheduler.respond_with(stream, {200, "OK", {}}, "ok"));
  scheduler.finish(stream);
}

std::size_t count_ends(const std::vector<Received>& frames) {
  std::size_t count = 0;
  for (const Received& frame : frames) count += frame.type == proto::FrameType::kEnd ? 1 : 0;
  return count;
}

std::size_t collect_ends(GatewayEnd& gateway, std::size_t wanted) {
  std::size_t ends = 0;
  while (ends < wanted) ends += count_ends(gateway.receive(1));
  return ends;
}

}  // namespace

TEST_CASE("every request of two gateways is answered once, whatever the number of threads") {
  for (const unsigned threads : {1u, 2u, 5u}) {
    CAPTURE(threads);
    House house(threads);
    GatewayEnd first = house.add_gateway();
    GatewayEnd second = house.add_gateway();
    std::atomic<unsigned> calls{0};
    house.start(threads, [&](Stream& stream) {
      ++calls;
      answer(house.scheduler, stream);
    });
    for (std::uint32_t id = 1; id <= 2000; ++id) {
      first.send(request(id));
      second.send(request(id));
      if (id % 16 == 0) {
        CHECK(collect_ends(first, 16) == 16);
        CHECK(collect_ends(second, 16) == 16);
      }
    }
    house.drain();
    house.join();
    CHECK(calls == 4000);
  }
}

TEST_CASE("threads that all wait for body are all fed") {
  constexpr unsigned kThreads = 4;
  House house(kThreads);
  GatewayEnd gateway = house.add_gateway();
  house.start(kThreads, [&](Stream& stream) {
    char room[16];
    std::size_t total = 0;
    while (total < 3) {
      house.scheduler.enter(stream);
      if (house.scheduler.wait_for_body(stream) == WaitOutcome::kGone) break;
      total += house.scheduler.take_body(stream, room, BodyUnit::kBytes);
    }
    answer(house.scheduler, stream);
  });
  for (std::uint32_t round = 0; round < 200; ++round) {
    const std::uint32_t base = round * kThreads;
    for (std::uint32_t i = 1; i <= kThreads; ++i)
      gateway.send(request(base + i, proto::RequestBody::kFollows, 3));
    for (const char* part : {"a", "b", "c"}) {
      for (std::uint32_t i = kThreads; i >= 1; --i) {
        gateway.send(body(base + i, part, *part == 'c' ? proto::BodyPart::kLast : proto::BodyPart::kMore));
      }
    }
    CHECK(collect_ends(gateway, kThreads) == kThreads);
  }
  house.drain();
  house.join();
}

TEST_CASE("a call that turns long lets others pass when there is a thread for them") {
  House house(2);
  GatewayEnd gateway = house.add_gateway();
  std::atomic<bool> release{false};
  house.start(2, [&](Stream& stream) {
    const std::uint32_t id = stream.id;
    while (id == 1001 && !release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    answer(house.scheduler, stream);
  });
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    gateway.send(request(id));
    CHECK(collect_ends(gateway, 1) == 1);
  }
  gateway.send(request(1001) + request(1002) + request(1003));
  CHECK(collect_ends(gateway, 2) == 2);
  release = true;
  CHECK(collect_ends(gateway, 1) == 1);
  house.drain();
  house.join();
}

TEST_CASE("a drain is noticed while the only thread is inside a call") {
  House house(1);
  GatewayEnd gateway = house.add_gateway();
  std::atomic<bool> entered{false};
  std::atomic<bool> release{false};
  house.start(1, [&](Stream& stream) {
    entered = true;
    while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    answer(house.scheduler, stream);
  });
  CHECK(gateway.receive(1).at(0).type == proto::FrameType::kHello);
  gateway.send(request(1));
  while (!entered) std::this_thread::yield();
  house.drain();
  const auto frames = gateway.receive(1);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == proto::FrameType::kDrain);
  release = true;
  CHECK(collect_ends(gateway, 1) == 1);
  house.join();
}

TEST_CASE("a lost channel frees the thread that waits on it") {
  House house(1);
  GatewayEnd gateway = house.add_gateway();
  std::atomic<unsigned> gone{0};
  std::atomic<bool> entered{false};
  house.start(1, [&](Stream& stream) {
    entered = true;
    house.scheduler.enter(stream);
    if (house.scheduler.wait_for_body(stream) == WaitOutcome::kGone) ++gone;
    house.scheduler.finish(stream);
  });
  gateway.send(request(1, proto::RequestBody::kFollows, 3));
  while (!entered) std::this_thread::yield();
  gateway.close();
  house.drain();
  house.join();
  CHECK(gone == 1);
}
