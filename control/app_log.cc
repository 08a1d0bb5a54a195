#include "control/app_log.h"

#include <utility>

#include "base/printable.h"
#include "control/timestamp.h"

namespace rowhouse::control {

AppLog::AppLog(const LogDirectory& directory, const Clock& clock, AppName name, LogLineListener& listener)
    : clock_(clock),
      name_(std::move(name)),
      listener_(listener),
      output_(directory, clock, name_, "app.log"),
      access_(directory, clock, name_, "access.log"),
      budget_(kOutputRate, clock.now()),
      last_used_(clock.now()) {}

LineFate AppLog::add_output(const LogOrigin& origin, std::string_view line) {
  // At most four bytes are stored for one, and a line has a stamp of its own.
  const auto cost = static_cast<std::int64_t>(line.size()) + 64;
  if (!budget_.try_take(cost, clock_.now())) {
    dropped_bytes_ += line.size() + 1;
    return LineFate::kDropped;
  }
  report_losses();
  add_line({LogStream::kStderr, format_rfc3339(clock_.wall_ms()), origin.generation, origin.worker,
            escape_line(line)});
  return LineFate::kKept;
}

void AppLog::add_notice(std::uint32_t generation, std::uint32_t worker, std::int64_t at_ms,
                        std::string_view text) {
  add_line({LogStream::kRowhouse, format_rfc3339(at_ms), generation, worker, escape_line(text)});
}

void AppLog::add_file_refusal(std::int64_t at_ms, std::string_view text) {
  const Instant now = clock_.now();
  if (file_refusal_at_ && now - *file_refusal_at_ < kFileRefusalPeriod) return;
  file_refusal_at_ = now;
  add_notice(0, 0, at_ms, text);
}

void AppLog::add_access(std::int64_t at_ms, std::string line) {
  last_used_ = clock_.now();
  const LogLine stored{LogStream::kAccess, format_rfc3339(at_ms), 0, 0, std::move(line)};
  access_.append(format_log_line(stored));
  listener_.on_log_line(name_, stored);
}

void AppLog::add_line(LogLine line) {
  last_used_ = clock_.now();
  output_.append(format_log_line(line));
  listener_.on_log_line(name_, line);
  line.text.resize(std::min(line.text.size(), kMaxRecentLineBytes));
  recent_.push_back(std::move(line));
  if (recent_.size() > kRecentLines) recent_.pop_front();
}

void AppLog::flush() {
  output_.flush();
  access_.flush();
}

void AppLog::report_losses() {
  if (const std::uint64_t dropped = std::exchange(dropped_bytes_, 0); dropped > 0) {
    add_notice(0, 0, clock_.wall_ms(), std::to_string(dropped) + " bytes dropped: the app writes too fast");
  }
  if (const std::uint64_t lost = output_.take_lost_bytes() + access_.take_lost_bytes(); lost > 0) {
    add_notice(0, 0, clock_.wall_ms(),
               std::to_string(lost) + " bytes of log lost: they could not be written");
  }
}

void AppLog::close_files() {
  output_.close();
  access_.close();
}

void AppLog::remember_last_words(const LogOrigin& origin, const LogPipe& pipe) {
  if (pipe.last_line().empty()) return;
  last_words_.push_back({origin, pipe.last_line(), pipe.last_lines()});
  if (last_words_.size() > kLastWords) last_words_.pop_front();
}

std::deque<std::string> AppLog::last_lines(const LogOrigin& origin) const {
  for (auto words = last_words_.rbegin(); words != last_words_.rend(); ++words) {
    if (words->origin == origin) return words->lines;
  }
  return {};
}

std::string AppLog::last_words(const LogOrigin& origin) const {
  for (auto words = last_words_.rbegin(); words != last_words_.rend(); ++words) {
    if (words->origin == origin) return words->line;
  }
  return {};
}

}  // namespace rowhouse::control
