#include "worker/share_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "worker/fork_guard.h"
#include "worker/say.h"
#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

using proto::LifelineType;
using proto::StartStep;

// After SIGTERM running requests have this long.
constexpr Duration kTerminationGrace = std::chrono::seconds(3);

void wait_readable(int descriptor) {
  pollfd waiting{descriptor, POLLIN, 0};
  ::poll(&waiting, 1, -1);
}

// The next word of an app; nothing when there is none (any more).
std::optional<proto::LifelineRecord> receive_word(int end) {
  proto::LifelineBytes bytes;
  const auto message = receive_message(end, bytes);
  if (!message.ok()) return std::nullopt;
  const auto record = proto::decode_lifeline(ByteSpan(bytes).first(message.value().size));
  return record.ok() ? std::optional(record.value()) : std::nullopt;
}

}  // namespace

Status ShareRelay::open(std::size_t apps) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("pipe2");
  woken_ = UniqueFd(ends[0]);
  wake_ = UniqueFd(ends[1]);
  bool guarded = guard_descriptor(woken_.get()) && guard_descriptor(wake_.get());
  for (std::size_t i = 0; i < apps; ++i) {
    RH_ASSIGN(SocketPair pair, create_seqpacket_pair());
    RH_TRY(set_nonblocking(pair.ours.get()));
    App app;
    app.end = std::move(pair.ours);
    app.lifeline = std::make_unique<Lifeline>(std::move(pair.theirs), Lifeline::Scope::kOneOfShare);
    guarded = guarded && guard_descriptor(app.end.get()) && guard_descriptor(app.lifeline->descriptor());
    apps_.push_back(std::move(app));
  }
  return guarded ? Status() : make_error(ErrorCode::kTooLarge, "guarded descriptors");
}

Result<std::vector<UniqueFd>> ShareRelay::receive_logs() {
  std::vector<UniqueFd> logs(apps_.size() - 1);
  std::size_t missing = logs.size();
  while (missing > 0) {
    wait_readable(process_.descriptor());
    auto received = process_.receive_log();
    if (!received.ok() && received.error().code == ErrorCode::kWouldBlock) continue;
    if (!received.ok()) return received.error();
    if (!received.value()) continue;
    Lifeline::Log& log = *received.value();
    if (log.app == 0 || log.app > logs.size() || logs[log.app - 1].valid()) continue;
    logs[log.app - 1] = std::move(log.log);
    --missing;
  }
  return logs;
}

StartStep ShareRelay::wait_until_ready(std::size_t app) {
  for (;;) {
    wait_readable(apps_[app].end.get());
    const auto word = receive_word(apps_[app].end.get());
    if (!word) continue;
    if (word->type == LifelineType::kFailed) return static_cast<StartStep>(word->number);
    if (word->type != LifelineType::kReady) continue;
    if ((word->number & proto::kReadyAsgi) != 0) event_loops_ |= 1U << app;
    return StartStep::kNone;
  }
}

void ShareRelay::run() {
  while (!is_over(clock_.now())) {
    std::array<pollfd, proto::kMaxAppsPerShare + 2> waiting{};
    std::size_t count = 0;
    waiting[count++] = {woken_.get(), POLLIN, 0};
    waiting[count++] = {process_open_ ? process_.descriptor() : -1, POLLIN, 0};
    for (const App& app : apps_) waiting[count++] = {app.drained ? -1 : app.end.get(), POLLIN, 0};
    int timeout_ms = -1;
    if (end_at_ != Instant::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_at_ - clock_.now());
      timeout_ms = static_cast<int>(std::max<std::int64_t>(0, left.count()));
    }
    if (::poll(waiting.data(), count, timeout_ms) <= 0) continue;
    if (waiting[0].revents != 0) take_wake();
    if (waiting[1].revents != 0) take_orders();
    for (std::size_t i = 0; i < apps_.size(); ++i) {
      if (waiting[2 + i].revents != 0) take_word(apps_[i]);
    }
  }
}

bool ShareRelay::is_over(Instant now) const {
  if (std::all_of(apps_.begin(), apps_.end(), [](const App& app) { return app.drained; })) return true;
  if (now < end_at_) return false;
  say("the apps of this share did not end in time: the worker leaves without waiting for them");
  return true;
}

void ShareRelay::take_orders() {
  for (;;) {
    auto received = process_.receive();
    if (!received.ok() && received.error().code == ErrorCode::kWouldBlock) return;
    if (!received.ok() && received.error().code == ErrorCode::kTooLarge) continue;
    if (!received.ok()) return abandon_orders();
    if (!received.value()) continue;
    const Lifeline::Order& order = *received.value();
    if (order.type == LifelineType::kDrain) {
      drain_all();
    } else if (order.app < apps_.size()) {
      const int channel = order.channel.get();
      const Status sent = proto::send_lifeline(apps_[order.app].end.get(), {order.type, 0}, {&channel, 1});
      if (!sent.ok()) say("a channel is lost: " + describe(sent.error()));
    }
  }
}

// The supervisor and its keeper have gone: what is being served goes on, and each app is told in the way that it knows.
void ShareRelay::abandon_orders() {
  process_open_ = false;
  for (const App& app : apps_) ::shutdown(app.end.get(), SHUT_WR);
}

void ShareRelay::drain_all() {
  for (const App& app : apps_) {
    const Status sent = proto::send_lifeline(app.end.get(), {LifelineType::kDrain, 0});
    if (!sent.ok() && sent.error().code != ErrorCode::kClosed) say("an app is not told to end: " + describe(sent.error()));
  }
}

// An app that fails after it was ready - an event loop that breaks - ends the process as if it were alone in it.
void ShareRelay::take_word(App& app) {
  const auto word = receive_word(app.end.get());
  if (!word) return;
  if (word->type == LifelineType::kDrained) app.drained = true;
  if (word->type == LifelineType::kFailed) process_.fail(static_cast<StartStep>(word->number));
}

void ShareRelay::take_wake() {
  char bytes[64];
  while (::read(woken_.get(), bytes, sizeof bytes) > 0) {
  }
  if (!termination_requested() || end_at_ != Instant::max()) return;
  end_at_ = clock_.now() + kTerminationGrace;
  drain_all();
}

}  // namespace rowhouse::worker
