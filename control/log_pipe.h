// The read end of one worker's log pipe.  The other end belongs to a stranger: every turn reads a bounded
// amount, and a pipe whose app is over its budget is read more slowly, which holds back nobody but its own
// writer.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "control/line_splitter.h"

namespace rowhouse::control {

// Whose output a pipe carries.
struct LogOrigin {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;  // 0: the steward
  auto operator<=>(const LogOrigin&) const = default;
};

// What became of a line.
enum class LineFate { kKept, kDropped };

class LogPipeListener {
 public:
  virtual ~LogPipeListener() = default;
  virtual LineFate on_log_text(const LogOrigin& origin, std::string_view line) = 0;
  virtual void on_log_skipped(const LogOrigin& origin, std::size_t bytes) = 0;
  // The turn's lines have been given.
  virtual void on_log_turn_end(const LogOrigin& origin) = 0;
  // Nobody can write any more.  The pipe must be destroyed later, not during this call.
  virtual void on_log_closed(const LogOrigin& origin) = 0;
};

class LogPipe final : LineListener {
 public:
  static constexpr std::size_t kMaxTurnBytes = 64 * 1024;
  static constexpr std::size_t kMaxDrainBytes = 1024 * 1024;  // the largest pipe that a user can make
  static constexpr std::size_t kMaxLastLineBytes = 1024;
  static constexpr std::size_t kLastLines = 20;           // kept for the story of a death ...
  static constexpr std::size_t kMaxStoryLineBytes = 256;  // ... each cut to this
  static constexpr std::chrono::milliseconds kPauseOverBudget{10};

  // `pipe` must not block.
  LogPipe(uv_loop_t* loop, UniqueFd pipe, const LogOrigin& origin, LogPipeListener& listener);

  // Reads what is in the pipe now, for a death that may be told before its last words were read.
  void drain();
  // The last line that was not empty, cut to kMaxLastLineBytes, as it was written.
  [[nodiscard]] const std::string& last_line() const { return last_line_; }
  // The last lines that were not empty, oldest first, also those that the log has no room for.
  [[nodiscard]] const std::deque<std::string>& last_lines() const { return last_lines_; }

 private:
  enum class ReadOutcome { kMore, kEmpty, kClosed };
  void on_readable();
  ReadOutcome read_some();
  void on_line(std::string_view line) override;
  void on_skipped(std::size_t bytes) override;

  UniqueFd pipe_;
  LogOrigin origin_;
  LogPipeListener& listener_;
  LineSplitter splitter_;
  std::string last_line_;
  std::deque<std::string> last_lines_;
  bool over_budget_ = false;
  Timer pause_;
  Poll poll_;
};

}  // namespace rowhouse::control
