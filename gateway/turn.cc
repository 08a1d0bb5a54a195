#include "gateway/turn.h"

#include <algorithm>
#include <cstdlib>

#include "gateway/caps.h"
#include "gateway/http_date.h"

namespace rowhouse::gateway {

// Freed in the close callback of the last of its two; from uv_close on no event comes.
struct Turn::Handle {
  uv_prepare_t prepare;
  uv_idle_t idle;  // active while there is work for the next turn: then the loop looks for events, and waits for none
  Turn* turn;
  int open = 2;

  static void on_closed(uv_handle_t* closed) {
    auto* const handle = static_cast<Handle*>(closed->data);
    if (--handle->open == 0) delete handle;
  }
};

TurnTask::~TurnTask() {
  if (scheduled_) turn_.forget(*this);
}

void TurnTask::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  turn_.tasks(stage_).push_back(this);
}

void TurnTask::schedule_next_turn() {
  if (scheduled_) return;
  scheduled_ = true;
  turn_.deferred_.push_back(this);
}

Turn::Turn(uv_loop_t* loop, const Clock& clock)
    : loop_(loop),
      clock_(clock),
      receive_storage_(kReceiveBufferBytes),
      receive_buffer_(receive_storage_),
      handle_(new Handle{{}, {}, this}) {
  if (uv_prepare_init(loop, &handle_->prepare) != 0 || uv_idle_init(loop, &handle_->idle) != 0) std::abort();
  handle_->prepare.data = handle_->idle.data = handle_;
  const auto on_prepare = [](uv_prepare_t* prepare) { static_cast<Handle*>(prepare->data)->turn->finish(); };
  if (uv_prepare_start(&handle_->prepare, on_prepare) != 0) std::abort();
  refresh();
}

Turn::~Turn() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->prepare), &Handle::on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->idle), &Handle::on_closed);
}

void Turn::refresh() {
  now_ = clock_.now();
  wall_ms_ = clock_.wall_ms();
  const std::int64_t second = wall_ms_ / 1000;
  if (second == date_s_) return;
  date_s_ = second;
  date_.clear();
  append_http_date(date_, second);
}

bool Turn::run_stage(TurnStage stage) {
  std::vector<TurnTask*>& waiting = tasks(stage);
  if (waiting.empty()) return false;
  running_.swap(waiting);
  for (TurnTask* task : running_) {
    if (task == nullptr) continue;
    task->scheduled_ = false;
    task->run_();
  }
  running_.clear();
  return true;
}

// Behind what this turn has brought.
void Turn::take_up_deferred() {
  for (TurnTask* task : deferred_) {
    if (task != nullptr) tasks(task->stage_).push_back(task);
  }
  deferred_.clear();
}

void Turn::forget(TurnTask& task) {
  for (std::vector<TurnTask*>* const list : {&running_, &deferred_, &tasks(task.stage_)}) {
    std::replace(list->begin(), list->end(), &task, static_cast<TurnTask*>(nullptr));
  }
}

void Turn::finish() {
  take_up_deferred();
  bool worked = true;
  while (worked) {
    worked = run_stage(TurnStage::kResume);
    worked = run_stage(TurnStage::kChannel) || worked;
    worked = run_stage(TurnStage::kClient) || worked;
  }
  empty_graves();
  ++number_;
  if (deferred_.empty()) {
    uv_idle_stop(&handle_->idle);
  } else {
    uv_idle_start(&handle_->idle, [](uv_idle_t*) {});
  }
  if (on_finished_) on_finished_();
}

}  // namespace rowhouse::gateway
