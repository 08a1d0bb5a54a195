// libuv handles: an event never reaches an owner that has gone, and owners may go inside their own event.
#include <doctest/doctest.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/message_socket.h"

namespace rowhouse {
namespace {

using std::chrono::milliseconds;

TEST_CASE("a timer fires once, a repeated one until it is stopped") {
  Loop loop;
  int once = 0;
  int repeated = 0;
  Timer first(loop.get(), [&] { ++once; });
  std::optional<Timer> second;
  second.emplace(loop.get(), [&] {
    if (++repeated == 3) second->stop();
  });
  first.start(milliseconds(1));
  second->repeat(milliseconds(1));
  CHECK(first.active());
  loop.run();
  CHECK(once == 1);
  CHECK(repeated == 3);
  CHECK_FALSE(first.active());
}

TEST_CASE("starting a timer again replaces its deadline") {
  Loop loop;
  int fired = 0;
  Timer timer(loop.get(), [&] { ++fired; });
  timer.start(milliseconds(100'000));
  timer.start(milliseconds(1));
  loop.run();
  CHECK(fired == 1);
}

TEST_CASE("a timer that has gone does not fire") {
  Loop loop;
  int fired = 0;
  auto timer = std::make_unique<Timer>(loop.get(), [&] { ++fired; });
  timer->start(milliseconds(0));
  timer.reset();
  loop.run();
  CHECK(fired == 0);
}

TEST_CASE("a callback may destroy the object that it belongs to, and go on using its captures") {
  Loop loop;
  auto text = std::make_shared<std::string>("still here");
  std::string seen;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop.get(), [&timer, &seen, text] {
    timer.reset();
    seen = *text;
  });
  timer->start(milliseconds(0));
  loop.run();
  CHECK(seen == "still here");
}

TEST_CASE("a poll reports what can be read, and nothing after it was destroyed") {
  Loop loop;
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  const int reading = pair.value().theirs.get();
  int events_seen = 0;
  std::optional<Poll> poll;
  poll.emplace(loop.get(), reading, [&](int events) {
    events_seen = events;
    poll.reset();
  });
  poll->watch(UV_READABLE);
  REQUIRE(send_message(pair.value().ours.get(), as_bytes("x")).ok());
  loop.run();
  CHECK(events_seen == UV_READABLE);
}

TEST_CASE("a peer that hangs up wakes the poll") {
  Loop loop;
  auto pair = create_seqpacket_pair();
  bool woken = false;
  std::optional<Poll> poll;
  poll.emplace(loop.get(), pair.value().theirs.get(), [&](int) {
    woken = true;
    poll.reset();
  });
  poll->watch(UV_READABLE);
  pair.value().ours.reset();
  loop.run();
  CHECK(woken);
}

TEST_CASE("a stopped poll is silent until it watches again") {
  Loop loop;
  auto pair = create_seqpacket_pair();
  REQUIRE(send_message(pair.value().ours.get(), as_bytes("x")).ok());
  int woken = 0;
  std::optional<Poll> poll;
  poll.emplace(loop.get(), pair.value().theirs.get(), [&](int) {
    ++woken;
    poll.reset();
  });
  poll->watch(UV_READABLE);
  poll->stop();
  loop.run();
  CHECK(woken == 0);
  poll->watch(UV_READABLE);
  loop.run();
  CHECK(woken == 1);
}

TEST_CASE("a signal is delivered in the loop") {
  Loop loop;
  int signals = 0;
  std::optional<Signal> signal;
  signal.emplace(loop.get(), SIGUSR1, [&] {
    ++signals;
    signal.reset();
  });
  REQUIRE(::raise(SIGUSR1) == 0);
  loop.run();
  CHECK(signals == 1);
}

TEST_CASE("stop ends a loop that still has work") {
  Loop loop;
  Timer forever(loop.get(), [] {});
  Timer stopper(loop.get(), [&loop] { loop.stop(); });
  forever.repeat(milliseconds(100'000));
  stopper.start(milliseconds(1));
  loop.run();
  CHECK(forever.active());
}

}  // namespace
}  // namespace rowhouse
