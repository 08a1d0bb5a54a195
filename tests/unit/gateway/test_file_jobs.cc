// Jobs that wait for the disk, with a pool whose threads the test holds.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <latch>
#include <vector>

#include "base/loop.h"
#include "gateway/file_jobs.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kMostThreads = 64;

// Nothing in the pool goes on before release().
class HeldPool {
 public:
  explicit HeldPool(uv_loop_t* loop) {
    for (uv_work_t& work : works_) {
      work.data = this;
      uv_queue_work(loop, &work, [](uv_work_t* request) { static_cast<HeldPool*>(request->data)->latch_.wait(); }, [](uv_work_t*, int) {});
    }
  }
  void release() { latch_.count_down(); }

 private:
  std::latch latch_{1};
  std::array<uv_work_t, kMostThreads> works_;
};

struct Waiter final : FileJobListener {
  void on_file_job(FileJob job) override { told.push_back(std::move(job)); }
  std::vector<FileJob> told;
};

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

struct Site {
  UniqueFd spool{::open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};  // no file has a name
  MimeTypes types;
  Loop loop;
  HeldPool pool{loop.get()};
  FileJobs jobs{loop.get(), types};

  FileJob job(FileWork work, std::uint32_t tenant) {
    FileJob job;
    job.work = work;
    job.tenant = tenant;
    job.directory = spool.get();
    job.bytes = "some bytes";
    return job;
  }
  void run() {
    pool.release();
    uv_run(loop.get(), UV_RUN_DEFAULT);
  }
};

}  // namespace

TEST_CASE("what waits and is wanted by nobody any more is given up at once, with what it holds") {
  Site site;
  Waiter first, second, third;
  site.jobs.start(site.job(FileWork::kStore, 1), first);
  FileJob opens = site.job(FileWork::kOpen, 1);
  opens.root = UniqueFd(::dup(site.spool.get()));
  const int root = opens.root.get();
  site.jobs.start(std::move(opens), second);
  site.jobs.start(site.job(FileWork::kStore, 1), third);
  REQUIRE(is_open(root));
  site.jobs.forget(second);
  CHECK_FALSE(is_open(root));
  site.run();
  CHECK(first.told.size() == 1);
  CHECK(second.told.empty());
  REQUIRE(third.told.size() == 1);
  CHECK(third.told[0].done);
}

TEST_CASE("a file without a name that is given up is closed in the pool, whoever else waits is served") {
  Site site;
  Waiter first, second, third, neighbour;
  site.jobs.start(site.job(FileWork::kStore, 1), first);
  FileJob stores = site.job(FileWork::kStore, 1);
  const UniqueFd made(::openat(site.spool.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  stores.file = UniqueFd(::fcntl(made.get(), F_DUPFD_CLOEXEC, 500));  // a number that nobody takes meanwhile
  REQUIRE(stores.file.valid());
  const int file = stores.file.get();
  site.jobs.start(std::move(stores), second);
  site.jobs.start(site.job(FileWork::kStore, 1), third);
  site.jobs.start(site.job(FileWork::kStore, 2), neighbour);
  site.jobs.forget(second);
  CHECK(is_open(file));
  site.jobs.forget(first);  // it is being done: it ends, and nobody hears of it
  site.run();
  CHECK_FALSE(is_open(file));
  CHECK(first.told.empty());
  CHECK(second.told.empty());
  CHECK(third.told.size() == 1);
  CHECK(neighbour.told.size() == 1);
}

}  // namespace rowhouse::gateway
