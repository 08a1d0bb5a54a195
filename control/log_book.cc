#include "control/log_book.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/message_socket.h"
#include "base/printable.h"
#include "control/access_line.h"
#include "control/ending_text.h"
#include "control/log_tail.h"

namespace rowhouse::control {
namespace {

std::string notice_line(const proto::AppNotice& notice) {
  const std::string generation = "generation " + std::to_string(notice.generation);
  switch (notice.kind) {
    case proto::NoticeKind::kStarting: return generation + " is starting";
    case proto::NoticeKind::kReady: return generation + " is ready";
    case proto::NoticeKind::kRestarting: return "restarting as " + generation;
    case proto::NoticeKind::kStopped: return "stopped";
    case proto::NoticeKind::kBackoff: return "next start in " + std::to_string(notice.number) + " ms";
    case proto::NoticeKind::kScaled: return "workers wanted: " + std::to_string(notice.number);
    case proto::NoticeKind::kSuspended: return "suspended by the operator";
    case proto::NoticeKind::kUnsuspended: return "not suspended any more";
    case proto::NoticeKind::kTouched: return "one of its files was touched";
    case proto::NoticeKind::kDegraded: return generation + " could not be started; what served before still serves";
  }
  return "unknown notice";
}

}  // namespace

LogBook::LogBook(uv_loop_t* loop, const Registry& registry, const Clock& clock, LogLineListener& listener,
                 RequestListener& requests)
    : loop_(loop), registry_(registry), clock_(clock), listener_(listener), requests_(requests), sweep_(loop, [this] {
        sweep();
      }) {}

void LogBook::open(UniqueFd directory) {
  directory_ = std::make_unique<LogDirectory>(std::move(directory));
  sweep_.repeat(kSweepPeriod);
}

void LogBook::add_source(const proto::LogSource& source, UniqueFd pipe) {
  const AppName app{source.tenant.str(), source.name.str()};
  const LogOrigin origin{source.app, source.generation, source.worker};
  if (const Status unblocked = set_nonblocking(pipe.get()); !unblocked.ok()) {
    log_error("log_source_refused", {{"app", app.text()}, {"error", unblocked.error()}});
    return;
  }
  Source& slot = sources_[origin];
  slot.app = app;
  // Told again by a new supervisor: the same pipe under another number.
  if (slot.pipe != nullptr) slot.pipe->drain();
  LogPipeListener& self = *this;
  slot.pipe = std::make_unique<LogPipe>(loop_, std::move(pipe), origin, self);
}

void LogBook::add_access_source(std::uint32_t gateway, UniqueFd socket) {
  if (const Status unblocked = set_nonblocking(socket.get()); !unblocked.ok()) {
    log_error("access_source_refused", {{"gateway", gateway}, {"error", unblocked.error()}});
    return;
  }
  AccessListener& self = *this;
  access_sources_[gateway] = std::make_unique<AccessSource>(loop_, std::move(socket), gateway, self);
}

void LogBook::add_death(const AppName& app, const proto::Death& death) {
  const std::string words = last_words(app, {death.app, death.generation, death.worker});
  const std::string detail = ending_detail({death.cause, death.argument, death.limits, {}}, words);
  const std::string line = death_line(death.generation, death.worker, death.cause, detail);
  dirty_log_of(app).add_notice(death.generation, death.worker, death.at_ms, line);
  flush();
  const auto source = sources_.find({death.app, death.generation, death.worker});
  if (source != sources_.end() && death.worker != 0) source->second.sweeps_since_death = 1;
}

void LogBook::add_notice(const proto::AppNotice& notice) {
  AppLog& log = dirty_log_of({notice.tenant.str(), notice.name.str()});
  log.add_notice(notice.generation, 0, notice.at_ms, notice_line(notice));
  flush();
}

std::string LogBook::last_words(const AppName& app, const LogOrigin& origin) {
  const auto source = sources_.find(origin);
  if (source != sources_.end()) {
    source->second.pipe->drain();
    return escape_line(source->second.pipe->last_line());
  }
  const auto log = logs_.find(app);
  return log == logs_.end() ? std::string() : escape_line(log->second->last_words(origin));
}

std::vector<std::string> LogBook::last_lines(const AppName& app, const LogOrigin& origin) {
  std::deque<std::string> raw;
  if (const auto source = sources_.find(origin); source != sources_.end()) {
    source->second.pipe->drain();
    raw = source->second.pipe->last_lines();
  } else if (const auto log = logs_.find(app); log != logs_.end()) {
    raw = log->second->last_lines(origin);
  }
  std::vector<std::string> lines;
  for (const std::string& line : raw) lines.push_back(escape_line(line));
  if (!lines.empty()) return lines;
  // An earlier control process may have read them.
  for (const LogLine& line : read(app, LogStream::kStderr, kTailForStory)) {
    if (line.stream != LogStream::kStderr || line.generation != origin.generation || line.worker != origin.worker) continue;
    lines.push_back(line.text.substr(0, LogPipe::kMaxStoryLineBytes));
  }
  if (lines.size() > LogPipe::kLastLines) lines.erase(lines.begin(), lines.end() - LogPipe::kLastLines);
  return lines;
}

std::vector<LogLine> LogBook::read(const AppName& app, LogStream stream, std::size_t lines, const LogFilter& filter) {
  flush();
  const AppLog& log = log_of(app);
  const std::size_t wanted = std::min(lines, kMaxLines);
  if (stream == LogStream::kAccess || !log.is_failing()) return read_file(log, stream, wanted, filter);
  std::deque<LogLine> recent = log.recent_lines();
  std::erase_if(recent, [&filter](const LogLine& line) { return !filter.wants(line); });
  const std::size_t shown = std::min(wanted, recent.size());
  return {recent.end() - static_cast<std::ptrdiff_t>(shown), recent.end()};
}

std::optional<LogLine> LogBook::parse(LogStream stream, std::string_view stored) {
  if (stream == LogStream::kAccess) return parse_access_line(stored);
  return parse_log_line(stored);
}

std::vector<LogLine> LogBook::read_file(const AppLog& log, LogStream stream, std::size_t lines, const LogFilter& filter) const {
  std::vector<LogLine> found;
  const auto directory = directory_->open_app(log.name(), Missing::kFail);
  if (!directory.ok()) return found;
  const char* file = stream == LogStream::kAccess ? "access.log" : "app.log";
  const auto wants = [stream, &filter](std::string_view text) {
    const auto line = parse(stream, text);
    return line && filter.wants(*line);
  };
  const auto stored = filter.is_empty() ? read_last_lines(directory.value().get(), file, lines)
                                        : search_last_lines(directory.value().get(), file, lines, wants);
  if (!stored.ok()) {
    log_warning("log_read_failed", {{"app", log.name().text()}, {"error", stored.error()}});
    return found;
  }
  for (const std::string& text : stored.value()) {
    if (auto line = parse(stream, text)) found.push_back(std::move(*line));
  }
  return found;
}

void LogBook::drain_all() {
  for (auto& [origin, source] : sources_) source.pipe->drain();
  for (auto& [name, log] : logs_) log->report_losses();
  for (auto& [name, log] : logs_) log->flush();
}

LineFate LogBook::on_log_text(const LogOrigin& origin, std::string_view line) {
  return dirty_log_of(sources_[origin].app).add_output(origin, line);
}

void LogBook::on_log_skipped(const LogOrigin& origin, std::size_t bytes) {
  log_of(sources_[origin].app).add_skipped(bytes);
}

void LogBook::on_log_turn_end(const LogOrigin&) {
  flush();
}

void LogBook::on_log_closed(const LogOrigin& origin) {
  const auto source = sources_.find(origin);
  log_of(source->second.app).remember_last_words(origin, *source->second.pipe);
  dead_pipes_.push_back(std::move(source->second.pipe));
  sources_.erase(source);
}

void LogBook::on_access_record(std::uint32_t gateway, const proto::AccessRecord& record) {
  const AppName* app = registry_.find_app(record.app);
  AppLog& log = dirty_log_of(app != nullptr ? *app : kGatewayLog);
  log.add_access(record.at_ms, format_access_line(record));
  if (app != nullptr && is_file_refusal(record.cause)) {
    log.add_file_refusal(record.at_ms, std::string(record.target) + " is answered by 403 (" +
                                           std::string(proto::cause_name(record.cause)) +
                                           "): " + std::string(cause_sentence(record.cause)));
  }
  if (record.error_id != 0) requests_.on_failed_request(app != nullptr ? *app : AppName{}, record);
  if (record.dropped == 0) return;
  access_records_dropped_ += record.dropped;
  const std::string note = "# gateway " + std::to_string(gateway) + ": " + std::to_string(record.dropped) +
                           " records lost before this";
  dirty_log_of(kGatewayLog).add_access(record.at_ms, note);
}

void LogBook::on_running_record(const proto::RunningRecord& record) {
  if (const AppName* app = registry_.find_app(record.app)) requests_.on_running_request(*app, record);
}

void LogBook::on_access_turn_end() {
  flush();
}

void LogBook::on_access_closed(std::uint32_t gateway) {
  const auto source = access_sources_.find(gateway);
  dead_access_sources_.push_back(std::move(source->second));
  access_sources_.erase(source);
}

AppLog& LogBook::dirty_log_of(const AppName& app) {
  AppLog& log = log_of(app);
  dirty_.insert(&log);
  return log;
}

AppLog& LogBook::log_of(const AppName& app) {
  const auto known = logs_.find(app);
  if (known != logs_.end()) return *known->second;
  forget_oldest(app.tenant);
  return *logs_.emplace(app, std::make_unique<AppLog>(*directory_, clock_, app, listener_)).first->second;
}

void LogBook::forget_tenant(const std::string& tenant) {
  for (auto source = sources_.begin(); source != sources_.end();) {
    if (source->second.app.tenant != tenant) {
      ++source;
      continue;
    }
    dead_pipes_.push_back(std::move(source->second.pipe));
    source = sources_.erase(source);
  }
  std::erase_if(logs_, [&](const auto& log) {
    if (log.first.tenant != tenant) return false;
    dirty_.erase(log.second.get());
    open_.erase(log.second.get());
    return true;
  });
}

// Makes room for one more log of the tenant.
void LogBook::forget_oldest(const std::string& tenant) {
  const auto first = logs_.lower_bound({tenant, ""});
  auto last = first;
  std::size_t count = 0;
  for (; last != logs_.end() && last->first.tenant == tenant; ++last) ++count;
  if (count < kMaxLogsPerTenant) return;
  auto oldest = logs_.end();
  for (auto log = first; log != last; ++log) {
    const bool is_older = oldest == logs_.end() || log->second->last_used() < oldest->second->last_used();
    if (is_older && !has_source(log->first)) oldest = log;
  }
  if (oldest == logs_.end()) return;
  oldest->second->flush();
  dirty_.erase(oldest->second.get());
  open_.erase(oldest->second.get());
  logs_.erase(oldest);
}

bool LogBook::has_source(const AppName& app) const {
  const auto is_of_app = [&app](const auto& source) { return source.second.app == app; };
  return std::any_of(sources_.begin(), sources_.end(), is_of_app);
}

void LogBook::flush() {
  for (AppLog* log : dirty_) {
    log->flush();
    open_.insert(log);
  }
  dirty_.clear();
  if (open_.size() <= kMaxOpenLogs) return;
  for (AppLog* log : open_) log->close_files();
  open_.clear();
}

// Everything that could write to such a pipe was killed with its worker.  Who holds it still is somebody who was given
// it, such as a template, and would have us keep one pipe more for each worker that ever was.
void LogBook::close_pipes_of_the_dead() {
  std::vector<LogOrigin> over;
  for (auto& [origin, source] : sources_) {
    if (source.sweeps_since_death != 0 && source.sweeps_since_death++ > 1) over.push_back(origin);
  }
  for (const LogOrigin& origin : over) {
    sources_[origin].pipe->drain();
    on_log_closed(origin);
  }
}

void LogBook::sweep() {
  close_pipes_of_the_dead();
  for (auto& [name, log] : logs_) {
    log->report_losses();
    log->flush();
    log->close_files();
  }
  open_.clear();
  dead_pipes_.clear();
  dead_access_sources_.clear();
}

}  // namespace rowhouse::control
