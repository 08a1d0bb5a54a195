// libuv handles with the rules of the house: the handle's memory lives until its close callback, and no
// callback reaches an owner that has gone.  Each class owns one handle; destroying the object closes it.
// A callback may destroy the object it belongs to.
#pragma once

#include <uv.h>

#include <chrono>
#include <functional>

namespace rowhouse {

// A uv_loop_t of our own.  Its destructor runs the loop until the closed handles have gone.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  [[nodiscard]] uv_loop_t* get() { return &loop_; }
  // Runs until stop() or until no handle is active.
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  void stop() { uv_stop(&loop_); }

 private:
  uv_loop_t loop_;
};

// One timer.  Restarting replaces the deadline.
class Timer {
 public:
  using Callback = std::function<void()>;
  Timer(uv_loop_t* loop, Callback on_fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Fires once after `delay`, counted from now (the loop's clock is brought up to date first).
  void start(std::chrono::milliseconds delay);
  // Fires every `period`, the first time after one period.
  void repeat(std::chrono::milliseconds period);
  void stop();
  [[nodiscard]] bool active() const;

 private:
  struct Handle;
  Handle* handle_;
};

// Readiness of one descriptor (uv_poll_t).  The descriptor stays the caller's and must stay open until this
// object is destroyed or told to stop.
class Poll {
 public:
  // `events` is a set of UV_READABLE, UV_WRITABLE, UV_DISCONNECT; an error of the descriptor is reported as
  // UV_READABLE and UV_DISCONNECT, once, and stops the watch (libuv does): the owner reads until it finds it.
  using Callback = std::function<void(int events)>;
  Poll(uv_loop_t* loop, int fd, Callback on_ready);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  void watch(int events);
  void stop();

 private:
  struct Handle;
  Handle* handle_;
};

// A signal delivered in the loop.
class Signal {
 public:
  using Callback = std::function<void()>;
  Signal(uv_loop_t* loop, int number, Callback on_signal);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace rowhouse
