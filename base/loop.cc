#include "base/loop.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace rowhouse {
namespace {

// A libuv call that can only fail when we misuse it or memory is exhausted.
void require(int result, const char* operation) {
  if (result == 0) return;
  std::fprintf(stderr, "%s: %s\n", operation, uv_strerror(result));
  std::abort();
}

// Calls a copy of the callback: the owner may destroy itself, and with it the original, while it runs.
template <typename Callback, typename... Arguments>
void call_copy(const Callback& callback, Arguments... arguments) {
  const Callback copy = callback;
  if (copy) copy(arguments...);
}

// Closes the handle and frees its block in the close callback; until then no event reaches the owner.
template <typename Block>
void close_block(Block* block) {
  block->callback = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&block->handle),
           [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
}

}  // namespace

Loop::Loop() { require(uv_loop_init(&loop_), "uv_loop_init"); }

Loop::~Loop() {
  uv_run(&loop_, UV_RUN_NOWAIT);
  uv_loop_close(&loop_);
}

struct Timer::Handle {
  uv_timer_t handle;
  Callback callback;
};

Timer::Timer(uv_loop_t* loop, Callback on_fire) : handle_(new Handle{{}, std::move(on_fire)}) {
  require(uv_timer_init(loop, &handle_->handle), "uv_timer_init");
  handle_->handle.data = handle_;
}
Timer::~Timer() { close_block(handle_); }

void Timer::start(std::chrono::milliseconds delay) {
  uv_update_time(handle_->handle.loop);
  const auto on_fire = [](uv_timer_t* timer) { call_copy(static_cast<Handle*>(timer->data)->callback); };
  const auto delay_ms = static_cast<std::uint64_t>(delay.count() < 0 ? 0 : delay.count());
  require(uv_timer_start(&handle_->handle, on_fire, delay_ms, 0), "uv_timer_start");
}

void Timer::repeat(std::chrono::milliseconds period) {
  const auto on_fire = [](uv_timer_t* timer) { call_copy(static_cast<Handle*>(timer->data)->callback); };
  const auto period_ms = static_cast<std::uint64_t>(period.count());
  require(uv_timer_start(&handle_->handle, on_fire, period_ms, period_ms), "uv_timer_start");
}

void Timer::stop() { uv_timer_stop(&handle_->handle); }
bool Timer::active() const { return uv_is_active(reinterpret_cast<uv_handle_t*>(&handle_->handle)) != 0; }

struct Poll::Handle {
  uv_poll_t handle;
  Callback callback;
};

Poll::Poll(uv_loop_t* loop, int fd, Callback on_ready) : handle_(new Handle{{}, std::move(on_ready)}) {
  require(uv_poll_init(loop, &handle_->handle, fd), "uv_poll_init");
  handle_->handle.data = handle_;
}
Poll::~Poll() { close_block(handle_); }

void Poll::watch(int events) {
  const auto on_ready = [](uv_poll_t* poll, int status, int ready) {
    call_copy(static_cast<Handle*>(poll->data)->callback, status < 0 ? UV_READABLE | UV_DISCONNECT : ready);
  };
  require(uv_poll_start(&handle_->handle, events, on_ready), "uv_poll_start");
}
void Poll::stop() { uv_poll_stop(&handle_->handle); }

struct Signal::Handle {
  uv_signal_t handle;
  Callback callback;
};

Signal::Signal(uv_loop_t* loop, int number, Callback on_signal)
    : handle_(new Handle{{}, std::move(on_signal)}) {
  require(uv_signal_init(loop, &handle_->handle), "uv_signal_init");
  handle_->handle.data = handle_;
  const auto on_arrival = [](uv_signal_t* signal, int) {
    call_copy(static_cast<Handle*>(signal->data)->callback);
  };
  require(uv_signal_start(&handle_->handle, on_arrival, number), "uv_signal_start");
}
Signal::~Signal() { close_block(handle_); }

}  // namespace rowhouse
