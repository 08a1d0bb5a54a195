#include "gateway/file_jobs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace rowhouse::gateway {

struct FileJobs::Task {
  uv_work_t work{};
  const MimeTypes* types = nullptr;
  std::atomic<bool> finished = false;
  FileJobs* jobs = nullptr;             // null: they are gone
  FileJobListener* listener = nullptr;  // null: nobody waits
  FileJob job;
  std::unique_ptr<Task> self;  // once the jobs are gone
};

namespace {

// --- in a thread of the pool ---

void open_file(FileJob& job, const MimeTypes& types) {
  job.opened = open_static_file({job.root.get(), job.relative, job.index, job.tenant, job.encodings}, types,
                                MayWait::kYes);
  const auto* file = std::get_if<StaticFile>(&job.opened);
  if (file != nullptr) warm_cache(file->file.get(), 0, std::min(file->size, job.count));
}

UniqueFd make_unnamed_file(int directory) {
  open_how how{};
  how.flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
  how.mode = 0600;
  how.resolve = RESOLVE_BENEATH;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, directory, ".", &how, sizeof how)));
}

// Calls `step(done)`, a pread or pwrite of what follows, until `count` bytes are done; false when it does no more.
template <typename Step>
bool do_all(std::size_t count, Step step) {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t share = step(done);
    if (share < 0 && errno == EINTR) continue;
    if (share <= 0) return false;
    done += static_cast<std::size_t>(share);
  }
  return true;
}

void store(FileJob& job) {
  if (!job.file.valid()) job.file = make_unnamed_file(job.directory);
  job.done = job.file.valid() && do_all(job.bytes.size(), [&job](std::size_t done) {
    return ::pwrite(job.file.get(), job.bytes.data() + done, job.bytes.size() - done,
                    static_cast<off_t>(job.offset + done));
  });
}

void fetch(FileJob& job) {
  job.bytes.resize(static_cast<std::size_t>(job.count));
  job.done = do_all(job.bytes.size(), [&job](std::size_t done) {
    return ::pread(job.file.get(), job.bytes.data() + done, job.bytes.size() - done,
                   static_cast<off_t>(job.offset + done));
  });
}

void do_job(FileJob& job, const MimeTypes& types) {
  switch (job.work) {
    case FileWork::kOpen: return open_file(job, types);
    case FileWork::kWarm: return warm_cache(job.file.get(), job.offset, job.count);
    case FileWork::kStore: return store(job);
    case FileWork::kFetch: return fetch(job);
    case FileWork::kDiscard: return job.file.reset();
  }
}

}  // namespace

FileJobs::FileJobs(uv_loop_t* loop, const MimeTypes& types) : loop_(loop), types_(types) {}

FileJobs::~FileJobs() {
  for (auto& [tenant, tasks] : tasks_) {
    // libuv still knows the first one; its last callback, before the loop ends, destroys it.
    Task& first = *tasks.front();
    if (uv_cancel(reinterpret_cast<uv_req_t*>(&first.work)) != 0) first.finished.wait(false);
    first.jobs = nullptr;
    first.self = std::move(tasks.front());
  }
}

void FileJobs::start(FileJob job, FileJobListener& listener) {
  Task& task = add(std::move(job));
  task.listener = &listener;
  of_listener_[&listener] = &task;
}

void FileJobs::discard(std::uint32_t tenant, UniqueFd file) {
  FileJob job;
  job.work = FileWork::kDiscard;
  job.tenant = tenant;
  job.file = std::move(file);
  add(std::move(job));
}

FileJobs::Task& FileJobs::add(FileJob job) {
  auto task = std::make_unique<Task>();
  Task& added = *task;
  added.jobs = this;
  added.types = &types_;
  added.job = std::move(job);
  auto& tasks = tasks_[added.job.tenant];
  tasks.push_back(std::move(task));
  if (tasks.size() == 1) run(added);
  return added;
}

void FileJobs::forget(FileJobListener& listener) {
  const auto found = of_listener_.find(&listener);
  if (found == of_listener_.end()) return;
  Task& task = *found->second;
  task.listener = nullptr;
  of_listener_.erase(found);
  auto& tasks = tasks_.at(task.job.tenant);
  if (tasks.front().get() == &task) return;  // it is being done: at most one of a tenant's
  // SECURITY: one that waits goes with all that it holds.  Its bytes are in nobody's budget any more, and strangers that come and
  // go while a disk is slow would pile them up.
  if (keeps_blocks(task.job)) {
    task.job.work = FileWork::kDiscard;
    std::string().swap(task.job.bytes);
    return;
  }
  std::erase_if(tasks, [&task](const std::unique_ptr<Task>& one) { return one.get() == &task; });
}

void FileJobs::run(Task& task) {
  task.work.data = &task;
  const auto work = [](uv_work_t* request) {
    Task& doing = *static_cast<Task*>(request->data);
    do_job(doing.job, *doing.types);
    doing.finished.store(true);
    doing.finished.notify_all();
  };
  const auto after = [](uv_work_t* request, int) {
    Task& done = *static_cast<Task*>(request->data);
    if (done.jobs == nullptr) {
      const std::unique_ptr<Task> last = std::move(done.self);
    } else {
      done.jobs->on_done(done);
    }
  };
  // It fails only without a callback.
  if (uv_queue_work(loop_, &task.work, work, after) != 0) std::abort();
}

// Of a file that vanishes with its last descriptor.
bool FileJobs::keeps_blocks(const FileJob& job) {
  return job.file.valid() && job.work != FileWork::kOpen && job.work != FileWork::kWarm;
}

void FileJobs::on_done(Task& task) {
  const auto place = tasks_.find(task.job.tenant);
  auto& tasks = place->second;
  const std::unique_ptr<Task> done = std::move(tasks.front());
  tasks.pop_front();
  if (tasks.empty()) {
    tasks_.erase(place);
  } else {
    run(*tasks.front());
  }
  if (done->listener == nullptr && keeps_blocks(done->job)) discard(done->job.tenant, std::move(done->job.file));
  if (done->listener == nullptr) return;
  of_listener_.erase(done->listener);
  done->listener->on_file_job(std::move(done->job));
}

}  // namespace rowhouse::gateway
