#include "gateway/file_jobs.h"

#include <algorithm>
#include <atomic>
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

// In a thread of the pool.
void do_job(FileJob& job, const MimeTypes& types) {
  if (job.root.valid()) {
    job.opened = open_static_file({job.root.get(), job.relative, job.index, job.tenant, job.encodings}, types,
                                  MayWait::kYes);
    const auto* file = std::get_if<StaticFile>(&job.opened);
    if (file != nullptr) warm_cache(file->file.get(), 0, std::min(file->size, job.count));
  } else {
    warm_cache(job.file.get(), job.offset, job.count);
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
  auto task = std::make_unique<Task>();
  task->jobs = this;
  task->types = &types_;
  task->listener = &listener;
  task->job = std::move(job);
  of_listener_[&listener] = task.get();
  auto& tasks = tasks_[task->job.tenant];
  tasks.push_back(std::move(task));
  if (tasks.size() == 1) run(*tasks.front());
}

void FileJobs::forget(FileJobListener& listener) {
  const auto found = of_listener_.find(&listener);
  if (found == of_listener_.end()) return;
  found->second->listener = nullptr;
  of_listener_.erase(found);
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

void FileJobs::on_done(Task& task) {
  const auto place = tasks_.find(task.job.tenant);
  auto& tasks = place->second;
  const std::unique_ptr<Task> done = std::move(tasks.front());
  tasks.pop_front();
  // Nobody waits any more for the result of these.
  while (!tasks.empty() && tasks.front()->listener == nullptr) tasks.pop_front();
  if (tasks.empty()) {
    tasks_.erase(place);
  } else {
    run(*tasks.front());
  }
  if (done->listener == nullptr) return;
  of_listener_.erase(done->listener);
  done->listener->on_file_job(std::move(done->job));
}

}  // namespace rowhouse::gateway
