// One log file of bounded size: NAME, and its predecessors NAME.1 (the newest) to NAME.5.  Lines are gathered
// and written at the end of a turn with one write.  A file that cannot be written never stops its caller:
// what is lost is counted, and writing is tried again after a while.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "control/log_directory.h"

namespace rowhouse::control {

class RotatingFile {
 public:
  static constexpr std::int64_t kMaxFileBytes = 10 * 1024 * 1024;
  static constexpr int kKeptFiles = 5;
  static constexpr std::size_t kMaxPendingBytes = 64 * 1024;  // then it is written before the end of the turn
  static constexpr Duration kRetryAfter = std::chrono::seconds(1);

  // `directory` and `clock` must outlive this object.  `file_name` is a literal.
  RotatingFile(const LogDirectory& directory, const Clock& clock, AppName app, const char* file_name);

  // `line` ends with a line end.
  void append(std::string_view line);
  void flush();
  // Closes the descriptor; the next flush opens the file again.
  void close() { file_.reset(); }
  [[nodiscard]] bool is_open() const { return file_.valid(); }
  // The bytes that could not be written since the last call, once writing works again; 0 otherwise.
  [[nodiscard]] std::uint64_t take_lost_bytes();
  // Whether the last attempt to write failed.
  [[nodiscard]] bool is_failing() const { return failing_; }

 private:
  Status write_pending();
  Status open();
  Status rotate(int directory_fd);
  void on_failure(const Error& error);

  const LogDirectory& directory_;
  const Clock& clock_;
  AppName app_;
  std::string name_;
  UniqueFd file_;
  std::int64_t size_bytes_ = 0;
  std::string pending_;
  std::uint64_t lost_bytes_ = 0;
  bool failing_ = false;
  Instant retry_at_{};
};

}  // namespace rowhouse::control
