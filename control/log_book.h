// Every app's log, and the pipes and sockets that fill them.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/loop.h"
#include "control/access_source.h"
#include "control/app_log.h"
#include "control/log_directory.h"
#include "control/log_filter.h"
#include "proto/control_messages.h"

namespace rowhouse::control {

// What gateways tell that is more than a line of a log.  The texts are borrowed for the call.
class RequestListener {
 public:
  virtual ~RequestListener() = default;
  // Answered with an error id.  Empty names: it was of no app.
  virtual void on_failed_request(const AppName& app, const proto::AccessRecord& record) = 0;
  virtual void on_running_request(const AppName& app, const proto::RunningRecord& record) = 0;
};

class LogBook final : LogPipeListener, AccessListener {
 public:
  // Logs kept in memory per tenant; beyond it the one that was used longest ago is forgotten (its files
  // stay).
  static constexpr std::size_t kMaxLogsPerTenant = 128;
  static constexpr std::size_t kMaxOpenLogs = 256;
  static constexpr std::chrono::milliseconds kSweepPeriod{1000};
  static constexpr std::size_t kMaxLines = 10'000;  // of one answer

  static constexpr std::size_t kTailForStory = 500;    // of app.log, where nothing better is known

  // All must outlive this object.
  LogBook(uv_loop_t* loop, const Registry& registry, const Clock& clock, LogLineListener& listener,
          RequestListener& requests);
  // Until the directory is known nothing can be logged.
  void open(UniqueFd directory);

  void add_source(const proto::LogSource& source, UniqueFd pipe);
  void add_access_source(std::uint32_t gateway, UniqueFd socket);
  // REQUIRES: open() was called.
  [[nodiscard]] const LogDirectory& directory() const { return *directory_; }
  // That gateways could not send, since this program began.
  [[nodiscard]] std::uint64_t access_records_dropped() const { return access_records_dropped_; }
  // Joins the worker's last words.
  void add_death(const AppName& app, const proto::Death& death);
  void add_notice(const proto::AppNotice& notice);

  // The last line that this worker wrote, what is still in its pipe included.  Escaped; empty when unknown.
  [[nodiscard]] std::string last_words(const AppName& app, const LogOrigin& origin);
  // The last lines that it wrote, oldest first, each escaped and cut; none when unknown.
  [[nodiscard]] std::vector<std::string> last_lines(const AppName& app, const LogOrigin& origin);
  // The last lines of one stream, oldest first.
  [[nodiscard]] std::vector<LogLine> read(const AppName& app, LogStream stream, std::size_t lines, const LogFilter& filter = {});
  // Of a tenant that is no more: closes its logs.  What follows of it begins new ones.
  void forget_tenant(const std::string& tenant);
  // Reads what is left in the pipes: the last act of the program.
  void drain_all();

 private:
  struct Source {
    AppName app;
    std::unique_ptr<LogPipe> pipe;
    unsigned sweeps_since_death = 0;  // 0: it lives
  };

  LineFate on_log_text(const LogOrigin& origin, std::string_view line) override;
  void on_log_skipped(const LogOrigin& origin, std::size_t bytes) override;
  void on_log_turn_end(const LogOrigin& origin) override;
  void on_log_closed(const LogOrigin& origin) override;
  void on_access_record(std::uint32_t gateway, const proto::AccessRecord& record) override;
  void on_running_record(const proto::RunningRecord& record) override;
  void on_access_turn_end() override;
  void on_access_closed(std::uint32_t gateway) override;

  AppLog& log_of(const AppName& app);
  AppLog& dirty_log_of(const AppName& app);
  void forget_oldest(const std::string& tenant);
  [[nodiscard]] bool has_source(const AppName& app) const;
  void flush();
  void sweep();
  void close_pipes_of_the_dead();
  static std::optional<LogLine> parse(LogStream stream, std::string_view stored);
  std::vector<LogLine> read_file(const AppLog& log, LogStream stream, std::size_t lines, const LogFilter& filter) const;

  uv_loop_t* loop_;
  const Registry& registry_;
  const Clock& clock_;
  LogLineListener& listener_;
  RequestListener& requests_;
  std::unique_ptr<LogDirectory> directory_;
  std::map<AppName, std::unique_ptr<AppLog>> logs_;
  std::map<LogOrigin, Source> sources_;
  std::map<std::uint32_t, std::unique_ptr<AccessSource>> access_sources_;
  std::set<AppLog*> dirty_;  // to be flushed at the end of the turn
  std::set<AppLog*> open_;   // have been flushed since the last sweep
  std::vector<std::unique_ptr<LogPipe>> dead_pipes_;
  std::vector<std::unique_ptr<AccessSource>> dead_access_sources_;
  Timer sweep_;
  std::uint64_t access_records_dropped_ = 0;
};

}  // namespace rowhouse::control
