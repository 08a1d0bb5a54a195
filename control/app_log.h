// All that is logged about one app: app.log, access.log, and in memory the last lines and the last words of
// workers that ended.  What the app itself writes has a budget; notices of Rowhouse always pass.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "control/log_line.h"
#include "control/log_pipe.h"
#include "control/rotating_file.h"
#include "control/token_bucket.h"

namespace rowhouse::control {

class LogLineListener {
 public:
  virtual ~LogLineListener() = default;
  virtual void on_log_line(const AppName& app, const LogLine& line) = 0;
};

class AppLog {
 public:
  static constexpr TokenBucket::Rate kOutputRate{1 << 20, 8 << 20, 256 << 10};
  static constexpr std::size_t kRecentLines = 50;
  static constexpr std::size_t kMaxRecentLineBytes = 512;
  static constexpr std::size_t kLastWords = 16;
  static constexpr std::chrono::seconds kFileRefusalPeriod{1};

  // All references must outlive this object.
  AppLog(const LogDirectory& directory, const Clock& clock, AppName name, LogLineListener& listener);

  [[nodiscard]] LineFate add_output(const LogOrigin& origin, std::string_view line);
  void add_skipped(std::size_t bytes) { dropped_bytes_ += bytes; }
  void add_notice(std::uint32_t generation, std::uint32_t worker, std::int64_t at_ms, std::string_view text);
  // A static file that was refused for a reason that the tenant can mend; at most one line in a while.
  void add_file_refusal(std::int64_t at_ms, std::string_view text);
  // `line` in the combined format, escaped, without its line end.
  void add_access(std::int64_t at_ms, std::string line);
  void flush();
  // Tells in the log what was dropped or lost.
  void report_losses();
  void close_files();

  // The last line of a worker whose pipe is closed, or will be.
  void remember_last_words(const LogOrigin& origin, const LogPipe& pipe);
  // Empty when nothing is known.
  [[nodiscard]] std::string last_words(const LogOrigin& origin) const;
  [[nodiscard]] std::deque<std::string> last_lines(const LogOrigin& origin) const;
  // The last lines in memory: what can be shown when the file cannot be written.
  [[nodiscard]] const std::deque<LogLine>& recent_lines() const { return recent_; }
  [[nodiscard]] bool is_failing() const { return output_.is_failing(); }
  [[nodiscard]] const AppName& name() const { return name_; }
  [[nodiscard]] Instant last_used() const { return last_used_; }

 private:
  struct LastWords {
    LogOrigin origin;
    std::string line;
    std::deque<std::string> lines;
  };
  void add_line(LogLine line);

  const Clock& clock_;
  AppName name_;
  LogLineListener& listener_;
  RotatingFile output_;
  RotatingFile access_;
  TokenBucket budget_;
  std::uint64_t dropped_bytes_ = 0;
  std::deque<LogLine> recent_;
  std::deque<LastWords> last_words_;
  Instant last_used_;
  std::optional<Instant> file_refusal_at_;
};

}  // namespace rowhouse::control
