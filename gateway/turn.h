// One turn of the loop: its time, the buffer that everything is read into, and the work that is collected
// during the turn and done once at its end, just before the loop waits again: requests that can go on, then
// one write for each channel, then one write for each client.  Work that could go on without end, since the input for it is
// there already, is put off to the next turn: the loop looks at everybody else's events before it, and waits for none.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace rowhouse::gateway {

// The order of the work at the end of a turn.
enum class TurnStage : std::uint8_t { kResume, kChannel, kClient };

class Turn;

// Something that wants to run at the end of this turn, or of the next; run once however often it is asked for.  Its owner
// must not be destroyed while work is done (Turn::bury); what was not done by then is forgotten.
class TurnTask {
 public:
  TurnTask(Turn& turn, TurnStage stage, std::function<void()> run)
      : turn_(turn), stage_(stage), run_(std::move(run)) {}
  TurnTask(const TurnTask&) = delete;
  TurnTask& operator=(const TurnTask&) = delete;
  ~TurnTask();
  // If it waits for the next turn already, it stays there.
  void schedule();
  void schedule_next_turn();
  [[nodiscard]] bool is_scheduled() const { return scheduled_; }

 private:
  friend class Turn;
  Turn& turn_;
  TurnStage stage_;
  bool scheduled_ = false;
  std::function<void()> run_;
};

// What may be buried: destroyed at the end of the turn, when no event can be under way in it.
class Mortal {
 public:
  virtual ~Mortal() = default;
};

class Turn {
 public:
  Turn(uv_loop_t* loop, const Clock& clock);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  [[nodiscard]] uv_loop_t* loop() const { return loop_; }
  // The time of the present event.
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const { return wall_ms_; }
  // The HTTP date of now.
  [[nodiscard]] std::string_view date() const { return date_; }
  // Reads the clock; called at the start of each event.
  void refresh();

  // From 1 on.
  [[nodiscard]] std::uint64_t number() const { return number_; }

  // Content is valid until the next read of anybody.
  [[nodiscard]] std::span<std::uint8_t> receive_buffer() const { return receive_buffer_; }

  // Destroys `dead` at the end of the turn.
  void bury(std::unique_ptr<Mortal> dead) { dead_.push_back(std::move(dead)); }
  // Does all collected work, also what it brings about, then empties the graves.
  // Does not do what was put off to the next turn.
  void finish();
  // What is buried refers to its surroundings: call it before those go.
  void empty_graves() { dead_.clear(); }
  // Called at the end of each finish(), when nothing is left to do.
  void set_on_finished(std::function<void()> on_finished) { on_finished_ = std::move(on_finished); }

 private:
  friend class TurnTask;
  struct Handle;
  static constexpr std::size_t kStages = 3;

  bool run_stage(TurnStage stage);
  void take_up_deferred();
  void forget(TurnTask& task);
  std::vector<TurnTask*>& tasks(TurnStage stage) { return tasks_[static_cast<std::size_t>(stage)]; }

  uv_loop_t* loop_;
  const Clock& clock_;
  std::uint64_t number_ = 1;
  Instant now_{};
  std::int64_t wall_ms_ = 0;
  std::int64_t date_s_ = -1;
  std::string date_;
  std::vector<std::uint8_t> receive_storage_;
  std::span<std::uint8_t> receive_buffer_;
  std::array<std::vector<TurnTask*>, kStages> tasks_;
  std::vector<TurnTask*> running_;
  std::vector<TurnTask*> deferred_;  // to the next turn
  std::vector<std::unique_ptr<Mortal>> dead_;
  std::function<void()> on_finished_;
  Handle* handle_;
};

}  // namespace rowhouse::gateway
