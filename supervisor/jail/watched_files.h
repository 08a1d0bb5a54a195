// The files whose touch restarts the app: the steward looks whether one of them is another one than before.  inotify(7)
// only wakes it; what counts is what lstat(2) says of the paths, so no event is ever parsed, a storm of them costs one
// look in kPause, and where no watch can be had the looks come every kRecheck.
//
// SECURITY: everything here happens with the tenant's rights, behind all walls.  No file is opened, so a FIFO makes
// nobody wait, and a symbolic link in a file's place is no file (test_watched_files.cc).
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace rowhouse::jail {

// When to look.  Pure: the rest asks it.
class LookTimes {
 public:
  static constexpr Duration kSettle = std::chrono::milliseconds(200);
  static constexpr Duration kPause = std::chrono::seconds(1);
  static constexpr Duration kRecheck = std::chrono::seconds(60);

  enum class Watched : std::uint8_t { kAll, kNotAll };
  void on_looked(Instant now, Watched watched) {
    earliest_ = now + kPause;
    due_.reset();
    if (watched == Watched::kNotAll) due_ = now + kRecheck;
    woken_ = false;
  }
  void on_event(Instant now) {
    woken_ = true;
    const Instant at = std::max(now + kSettle, earliest_);
    due_ = due_ ? std::min(*due_, at) : at;
  }
  // Nothing: not before something happens.
  [[nodiscard]] std::optional<Instant> due() const { return due_; }
  // Whether an event would change anything.
  [[nodiscard]] bool listens() const { return !woken_; }

 private:
  Instant earliest_{};
  std::optional<Instant> due_;
  bool woken_ = false;
};

class WatchedFiles {
 public:
  // `paths` are absolute and in normal form; what lies above `home` is not watched.
  WatchedFiles(std::string home, std::vector<std::string> paths);

  // Remembers how the files are now.  Nothing is watched without paths.
  void begin(Instant now);
  // To wait for reading; -1: not now.
  [[nodiscard]] int descriptor() const { return times_.listens() ? inotify_.get() : -1; }
  // Milliseconds until look() is due, for poll(2); -1: not before descriptor() is readable.
  [[nodiscard]] int timeout_ms(Instant now) const;
  void on_readable(Instant now) { times_.on_event(now); }
  // True when a file is there that is another one than at the last look.  REQUIRES: begin().
  [[nodiscard]] bool look(Instant now);

 private:
  // Times of the last change of the inode do not count: a chmod is no touch.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t bytes = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  struct File {
    std::string path;
    std::optional<Identity> last;  // nothing: no regular file is there
  };

  static std::optional<Identity> identify(const std::string& path);
  LookTimes::Watched watch();
  [[nodiscard]] bool watch_file(const std::string& path);

  std::string home_;
  std::vector<File> files_;
  UniqueFd inotify_;
  LookTimes times_;
};

}  // namespace rowhouse::jail
