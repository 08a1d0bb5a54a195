// Work that may wait for a disk, done in libuv's pool of threads so that the loop never does: opening a file
// whose names are not in memory, reading what sendfile(2) would have to fetch, keeping a body.  One job of a tenant is in the
// pool at a time, so that a tenant on a slow disk keeps one thread and not all of them (law 6).
#pragma once

#include <uv.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/unique_fd.h"
#include "gateway/static_files.h"

namespace rowhouse::gateway {

enum class FileWork : std::uint8_t {
  kOpen,     // a static file
  kWarm,     // reads `count` bytes from `offset` on, for the page cache
  kStore,    // writes `bytes` at `offset`; without a file it makes one
  kFetch,    // reads `count` bytes from `offset` on into `bytes`
  kDiscard,  // closes the file: the blocks of a large one take their time
};

// One job, with copies of everything that it needs: whoever asked for it may be gone when it is done.
struct FileJob {
  FileWork work = FileWork::kOpen;
  std::uint32_t tenant = 0;  // uid

  // To open: a root of its own.
  UniqueFd root;
  std::string relative, index;
  Encodings encodings;
  OpenedStatic opened = NotCached{};

  // All others: the file, for as long as the job lasts.
  UniqueFd file;
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
  int directory = -1;  // for a file without a name; open as long as the process lives
  std::string bytes;
  bool done = false;  // kStore, kFetch: all of it
};

class FileJobListener {
 public:
  virtual ~FileJobListener() = default;
  virtual void on_file_job(FileJob job) = 0;
};

class FileJobs {
 public:
  // `types` must outlive this object and not change.
  FileJobs(uv_loop_t* loop, const MimeTypes& types);
  // Waits for the jobs that are being done.
  ~FileJobs();
  FileJobs(const FileJobs&) = delete;
  FileJobs& operator=(const FileJobs&) = delete;

  // Does the job as soon as no other one of its tenant is being done; the listener is told later, never
  // during this call.  At most one job of a listener at a time.
  void start(FileJob job, FileJobListener& listener);
  // Closes the file where closing may wait; nobody is told.
  void discard(std::uint32_t tenant, UniqueFd file);
  // The listener hears nothing of its job any more.  One that is not being done yet is given up with what it holds.
  void forget(FileJobListener& listener);

 private:
  struct Task;
  Task& add(FileJob job);
  [[nodiscard]] static bool keeps_blocks(const FileJob& job);
  void run(Task& task);
  void on_done(Task& task);

  uv_loop_t* loop_;
  const MimeTypes& types_;
  // The first of each tenant is in the pool.
  std::unordered_map<std::uint32_t, std::deque<std::unique_ptr<Task>>> tasks_;
  std::unordered_map<FileJobListener*, Task*> of_listener_;
};

}  // namespace rowhouse::gateway
