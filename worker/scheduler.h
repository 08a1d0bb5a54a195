// Who reads, who runs, who waits: leader and followers over the lifeline and all channels.
//
// At any time at most one thread, the leader, reads.  A request thread that has nothing to run becomes the
// leader if there is none, else it rests.  A thread inside an app call that needs body, credit or room does
// the same until it has what it needs, so that traffic flows both ways even when every thread is inside a
// call.
//
//        +--> leads (reads, fills the queue) --+--> runs the call itself, still the leader   (calls are
//        short)
//   next-+                                     +--> gives the lead away, runs the call       (calls are long)
//        +--> rests until woken: a request, the lead, or the end
//
// A call that turns out long although the leader runs it is noticed by the watch, a thread without Python
// that ticks while calls run: it flushes what was produced, offers the lead to a resting thread, or reads
// itself when all threads are inside calls.  A thread that finishes takes the lead from a leader that is
// inside a long call.
//
// The lock is a leaf: it may be taken while the GIL is held, and whoever holds it never waits for the GIL.
// Functions marked BLOCKS must be called without the GIL.  Knows no Python.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "worker/call_mean.h"
#include "worker/channel.h"
#include "worker/lifeline.h"
#include "worker/poller.h"

namespace rowhouse::worker {

// Every gateway has one channel; dead ones of replaced gateways stay while their streams run.
inline constexpr std::size_t kMaxChannels = 4 * proto::kMaxGateways;

enum class WaitOutcome : std::uint8_t { kReady, kGone };

class Scheduler final : private ChannelListener {
 public:
  Scheduler(Lifeline& lifeline, unsigned threads, const Clock& clock);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // In the main thread: opens what it waits for and starts the watch.
  Status open();
  // A byte written here lets the main thread look after signals (Turn::kCheck) when it is idle.
  [[nodiscard]] int wake_descriptor() const { return poller_.wake_descriptor(); }

  // --- request threads
  enum class Turn : std::uint8_t {
    kRun,    // run `stream`
    kCheck,  // take the GIL, look after signals, call confirm_stall() and ask again
    kEnd,    // nothing will ever come again
  };
  struct Next {
    Turn turn = Turn::kEnd;
    Stream* stream = nullptr;
  };
  // The next request that is here already; null when there is none.
  [[nodiscard]] Stream* try_next();
  // BLOCKS.  Sends what is unsent, then waits.
  [[nodiscard]] Next wait_next();
  // With the GIL: takes the lead if the leader is still inside the call that made the watch ask.
  void confirm_stall();

  // --- the request that the calling thread runs
  [[nodiscard]] Instant now() const { return clock_.now(); }
  [[nodiscard]] bool is_gone(const Stream& stream);
  void start(Stream& stream);
  void respond(Stream& stream, const proto::ResponseHead& head);
  // As much as credit and room allow; returns how much.
  [[nodiscard]] std::size_t send_data(Stream& stream, std::string_view bytes);
  // Head, whole body and END under one lock: the way of most responses.  Returns how much of the body went;
  // only when that is all of it the stream is finished.
  [[nodiscard]] std::size_t respond_with(Stream& stream, const proto::ResponseHead& head,
                                         std::string_view body);
  // Close the stream; it must not be used afterwards.
  void finish(Stream& stream);
  void abort(Stream& stream, proto::AbortReason reason);
  [[nodiscard]] std::size_t take_body(Stream& stream, std::span<char> room, BodyUnit unit);
  [[nodiscard]] bool is_body_complete(const Stream& stream);

  // Between enter and the end of the wait the stream is not reused, whatever other threads do.  enter() needs
  // the GIL (which proves that the stream is still open).
  void enter(Stream& stream);
  // BLOCK, after enter().
  [[nodiscard]] WaitOutcome wait_for_body(Stream& stream);
  [[nodiscard]] WaitOutcome wait_to_send(Stream& stream);
  // BLOCKS, after enter(): until everything appended so far is in the socket, so that START is out before the
  // call.
  [[nodiscard]] WaitOutcome wait_until_sent(Stream& stream);

  // Whether output should leave now instead of with the batch, and sending it.  BLOCKS (but for no other
  // thread).
  [[nodiscard]] bool is_flush_due(const Stream& stream);
  [[nodiscard]] bool is_flush_due();
  void flush();

  // --- instead of request threads: one event loop, which runs any number of requests and never waits here
  // From now on only pump() reads.  Before the first channel comes.
  void serve_event_loop();
  // Readable when pump() has something to do.
  [[nodiscard]] int event_descriptor() const { return poller_.descriptor(); }
  // Takes what has arrived: requests to begin, and running ones that got body or credit or are gone.
  void pump(std::vector<Stream*>& begun, std::vector<Stream*>& changed);
  // Nothing will ever come again.
  [[nodiscard]] bool is_finished();
  // Drained or asked to: long-lived streams should end now.
  [[nodiscard]] bool is_draining();
  [[nodiscard]] std::size_t body_available(const Stream& stream);
  // Answers UPGRADE.  REQUIRES: stream.offers_upgrade.
  void tunnel(Stream& stream, const proto::ResponseHead& head);
  // finish() and abort() of a stream that pump() began.
  void finish_event(Stream& stream);
  void abort_event(Stream& stream, proto::AbortReason reason);

  // --- the end
  // BLOCKS: until all output is sent, at most `within`.
  void flush_all(Duration within);
  // _exit(0) after DRAINED when the process is still there after `within`.
  void end_within(Duration within);

 private:
  using Lock = std::unique_lock<std::mutex>;
  // One for each thread that ever waits.
  struct Waiter {
    std::condition_variable wake;
    const Stream* stream = nullptr;  // what it waits for; null: a request
    Instant call_begun{};            // of a request thread inside a call
    bool runs_as_leader = false;     // the call began while it kept the lead
    bool alarmed = false;            // asked to return with Turn::kCheck
  };
  enum class Phase : std::uint8_t { kReading, kRunning, kWatching };
  [[nodiscard]] static Waiter& me();

  // ChannelListener
  void on_request(Stream& stream) override;
  void on_stream_changed(Stream& stream) override;

  // scheduler.cc: the lead
  [[nodiscard]] Stream* pop_request(Waiter& waiter);
  [[nodiscard]] bool may_lead(const Waiter& waiter) const;
  void lead_once(Lock& lock, Waiter& waiter);
  void rest(Lock& lock, Waiter& waiter);
  void step_down(const Waiter& waiter);
  void promote();
  [[nodiscard]] bool runs_inline();
  [[nodiscard]] bool is_over() const;
  void end_call(Waiter& waiter, Instant now);
  void wake_blocked_on(const Stream& stream);
  template <typename Goal>
  [[nodiscard]] WaitOutcome wait_for(Stream& stream, Goal goal);

  // events.cc: what arrives
  void take_events(std::span<const Poller::Ready> ready);
  void take_channel_event(const Poller::Ready& event);
  void take_orders();
  void add_channel(UniqueFd socket);
  void begin_drain();
  void take_wake();
  void take_termination();
  void fail_channel(Channel& channel, const Error& error);
  void reap_channels();
  void flush_channel(Channel& channel, Instant now);
  void flush_channels();
  void note_output(Channel& channel);
  void wake_everybody();

  void forget_change(Stream& stream);

  // watch.cc
  void watch();
  void watch_read(Lock& lock);
  void watch_tick(Instant now);
  void look_at_leader(Instant now);
  [[nodiscard]] bool is_busy() const;
  [[nodiscard]] bool nobody_reads(Instant now) const;
  void rouse_watch();

  Lifeline& lifeline_;
  const unsigned threads_;
  const Clock& clock_;
  Poller poller_;

  std::mutex mutex_;  // guards everything below
  std::vector<std::unique_ptr<Channel>> channels_;
  std::deque<Stream*> queue_;
  std::vector<Waiter*> idle_;     // rest until there is a request
  std::vector<Waiter*> blocked_;  // rest inside a call
  Waiter* leader_ = nullptr;
  Waiter* main_waiter_ = nullptr;
  Phase phase_ = Phase::kReading;
  unsigned running_ = 0;
  std::uint64_t requests_ = 0;
  CallMean call_mean_;
  Instant next_inline_probe_{};
  bool event_loop_ = false;
  std::vector<Stream*> changed_;  // told at the next pump()
  bool lifeline_open_ = true;
  bool draining_ = false;

  std::thread watch_thread_;
  std::condition_variable watch_wake_;
  Waiter watch_waiter_;
  enum class Pace : std::uint8_t { kTicking, kSlow, kAsleep };
  Pace watch_pace_ = Pace::kTicking;
  bool watch_stops_ = false;
  std::optional<Instant> exit_at_;
};

}  // namespace rowhouse::worker
