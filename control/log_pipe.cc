#include "control/log_pipe.h"

#include <unistd.h>

#include <array>
#include <utility>

namespace rowhouse::control {

LogPipe::LogPipe(uv_loop_t* loop, UniqueFd pipe, const LogOrigin& origin, LogPipeListener& listener)
    : pipe_(std::move(pipe)),
      origin_(origin),
      listener_(listener),
      splitter_(*this),
      pause_(loop, [this] { poll_.watch(UV_READABLE); }),
      poll_(loop, pipe_.get(), [this](int) { on_readable(); }) {
  poll_.watch(UV_READABLE);
}

void LogPipe::on_readable() {
  over_budget_ = false;
  const ReadOutcome outcome = read_some();
  if (outcome == ReadOutcome::kClosed) {
    poll_.stop();
    splitter_.finish();
    listener_.on_log_turn_end(origin_);
    listener_.on_log_closed(origin_);
    return;
  }
  if (over_budget_) {
    poll_.stop();
    pause_.start(kPauseOverBudget);
  }
  listener_.on_log_turn_end(origin_);
}

void LogPipe::drain() {
  for (std::size_t turn = 0; turn < kMaxDrainBytes / kMaxTurnBytes; ++turn) {
    if (read_some() != ReadOutcome::kMore) break;
  }
  splitter_.finish();
  listener_.on_log_turn_end(origin_);
}

LogPipe::ReadOutcome LogPipe::read_some() {
  std::array<char, kMaxTurnBytes> room;
  ssize_t got = -1;
  do {
    got = ::read(pipe_.get(), room.data(), room.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return ReadOutcome::kEmpty;
  if (got <= 0) return ReadOutcome::kClosed;
  splitter_.feed(std::string_view(room.data(), static_cast<std::size_t>(got)));
  return static_cast<std::size_t>(got) == room.size() ? ReadOutcome::kMore : ReadOutcome::kEmpty;
}

void LogPipe::on_line(std::string_view line) {
  if (line.find_first_not_of(" \t") != std::string_view::npos) {
    last_line_ = line.substr(0, kMaxLastLineBytes);
    last_lines_.emplace_back(line.substr(0, kMaxStoryLineBytes));
    if (last_lines_.size() > kLastLines) last_lines_.pop_front();
  }
  if (listener_.on_log_text(origin_, line) == LineFate::kDropped) over_budget_ = true;
}

void LogPipe::on_skipped(std::size_t bytes) {
  over_budget_ = true;
  listener_.on_log_skipped(origin_, bytes);
}

}  // namespace rowhouse::control
