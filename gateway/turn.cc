#include "gateway/turn.h"

#include <cstdlib>

#include "gateway/caps.h"
#include "gateway/http_date.h"

namespace rowhouse::gateway {

// Freed in its close callback; until then `turn` is null and no event comes.
struct Turn::Handle {
  uv_prepare_t handle;
  Turn* turn;
};

void TurnTask::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  turn_.tasks(stage_).push_back(this);
}

Turn::Turn(uv_loop_t* loop, const Clock& clock)
    : loop_(loop),
      clock_(clock),
      receive_storage_(kReceiveBufferBytes),
      receive_buffer_(receive_storage_),
      handle_(new Handle{{}, this}) {
  if (uv_prepare_init(loop, &handle_->handle) != 0) std::abort();
  handle_->handle.data = handle_;
  const auto on_prepare = [](uv_prepare_t* prepare) { static_cast<Handle*>(prepare->data)->turn->finish(); };
  if (uv_prepare_start(&handle_->handle, on_prepare) != 0) std::abort();
  refresh();
}

Turn::~Turn() {
  uv_prepare_stop(&handle_->handle);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->handle),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
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
    task->scheduled_ = false;
    task->run_();
  }
  running_.clear();
  return true;
}

void Turn::finish() {
  bool worked = true;
  while (worked) {
    worked = run_stage(TurnStage::kResume);
    worked = run_stage(TurnStage::kChannel) || worked;
    worked = run_stage(TurnStage::kClient) || worked;
  }
  empty_graves();
  ++number_;
  if (on_finished_) on_finished_();
}

}  // namespace rowhouse::gateway
