// The directory of tenant files (or of plan files): which files changed since the last look, and an event when one
// may have.  The directory is root's own; what is read here are names, stat(2) and inotify(7), never a file's content.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/live_messages.h"

namespace rowhouse::supervisor {

// NAME.yaml by NAME.
using FileListing = std::map<std::string, proto::FileIdentity>;

struct FileChanges {
  std::vector<std::string> changed;  // new ones too
  std::vector<std::string> removed;
  [[nodiscard]] bool empty() const { return changed.empty() && removed.empty(); }
};
[[nodiscard]] FileChanges compare_listings(const FileListing& before, const FileListing& now);
// True when so much has vanished at once that it looks like a lost directory rather than like a decision: nothing is
// left of two files or more.  Pure.
[[nodiscard]] bool looks_lost(const FileListing& before, const FileListing& now);

class TenantFiles {
 public:
  // `on_event` is called when something may have changed, at most once in kSettle.
  static constexpr std::chrono::milliseconds kSettle{200};
  TenantFiles(uv_loop_t* loop, std::string path, std::function<void()> on_event);
  ~TenantFiles();

  // Opens the directory anew, because another may have taken its place, and watches it.  `problem` names what is wrong.
  Result<FileListing> list(std::string& problem);
  // The directory as it was listed last.
  [[nodiscard]] int directory() const { return directory_.get(); }
  // The event comes again after a while, without one: what was to be read could not be.
  void remind(std::chrono::milliseconds after);

 private:
  void watch();
  void on_readable();

  uv_loop_t* loop_;
  std::string path_;
  std::function<void()> on_event_;
  UniqueFd directory_;
  proto::FileIdentity watched_;  // device and inode of the directory that is watched
  UniqueFd inotify_;
  std::unique_ptr<Poll> poll_;
  Timer settle_;
};

}  // namespace rowhouse::supervisor
