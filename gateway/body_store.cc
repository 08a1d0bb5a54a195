#include "gateway/body_store.h"

#include <algorithm>
#include <utility>

#include "gateway/caps.h"
#include "gateway/workbench.h"

namespace rowhouse::gateway {

// --- budgets ---------------------------------------------------------------------------------------------

BodyBudgets::Use BodyBudgets::of(std::uint32_t tenant) const {
  const auto found = uses_.find(tenant);
  return found == uses_.end() ? Use{} : found->second;
}

void BodyBudgets::change(std::uint32_t tenant, std::int64_t memory, std::int64_t disk) {
  if (memory == 0 && disk == 0) return;
  Use& use = uses_[tenant];
  use.memory += static_cast<std::uint64_t>(memory);
  use.disk += static_cast<std::uint64_t>(disk);
  if (use.memory == 0 && use.disk == 0) uses_.erase(tenant);
}

// --- the store -------------------------------------------------------------------------------------------

BodyStore::BodyStore(Workbench& bench, std::function<void()> on_progress, std::size_t memory_bytes)
    : bench_(bench), on_progress_(std::move(on_progress)), memory_limit_(memory_bytes) {}

BodyStore::~BodyStore() {
  clear();
}

void BodyStore::clear() {
  if (busy_) bench_.file_jobs.forget(*this);
  if (file_.valid()) bench_.file_jobs.discard(tenant_, std::move(file_));
  bench_.bodies.change(tenant_, -static_cast<std::int64_t>(memory_.size() + writing_bytes_),
                       -static_cast<std::int64_t>(file_bytes_));
  for (std::string* buffer : {&memory_, &fetched_}) {
    buffer->clear();
    if (buffer->capacity() > kKeptBufferBytes) std::string().swap(*buffer);
  }
  file_bytes_ = writing_bytes_ = fetched_at_ = 0;
  busy_ = full_ = broken_ = read_wanted_ = false;
}

void BodyStore::append_to_memory(std::string_view bytes) {
  memory_.append(bytes);
  bench_.bodies.change(tenant_, static_cast<std::int64_t>(bytes.size()), 0);
}

std::size_t BodyStore::room() const {
  if (full_ || memory_.size() >= memory_limit_) return 0;
  return memory_limit_ - memory_.size();
}

void BodyStore::append(std::string_view bytes) {
  append_to_memory(bytes);
  if (bench_.bodies.of(tenant_).memory > kMaxBodyMemoryOfTenant) full_ = true;
  if (must_write() && !busy_) write_memory();
}

void BodyStore::finish() {
  if (!busy_ && !memory_.empty() && is_memory_scarce()) write_memory();
}

bool BodyStore::is_memory_scarce() const {
  return bench_.bodies.of(tenant_).memory > kMaxBodyMemoryOfTenant / 2;
}

bool BodyStore::must_write() const {
  return memory_.size() >= memory_limit_ || (memory_.size() >= kBodyMemoryBytes && is_memory_scarce());
}

// --- the file --------------------------------------------------------------------------------------------

void BodyStore::write_memory() {
  if (full_) return;
  if (bench_.spool < 0 || bench_.bodies.of(tenant_).disk + memory_.size() > kMaxBodyDiskOfTenant) {
    full_ = true;
    return;
  }
  FileJob job;
  job.work = FileWork::kStore;
  job.tenant = tenant_;
  job.directory = bench_.spool;
  job.file = std::move(file_);
  job.offset = file_bytes_;
  job.bytes = std::move(memory_);
  memory_ = std::string();
  writing_bytes_ = job.bytes.size();
  busy_ = true;
  bench_.file_jobs.start(std::move(job), *this);
}

std::string_view BodyStore::at(std::uint64_t offset) {
  if (offset >= file_bytes_ + writing_bytes_) {
    return std::string_view(memory_).substr(
        static_cast<std::size_t>(std::min<std::uint64_t>(offset - file_bytes_ - writing_bytes_, memory_.size())));
  }
  if (offset >= fetched_at_ && offset < fetched_at_ + fetched_.size()) {
    return std::string_view(fetched_).substr(static_cast<std::size_t>(offset - fetched_at_));
  }
  read_wanted_ = busy_;
  if (!busy_ && !broken_) fetch(offset);
  return {};
}

void BodyStore::fetch(std::uint64_t offset) {
  FileJob job;
  job.work = FileWork::kFetch;
  job.tenant = tenant_;
  job.file = std::move(file_);
  job.offset = offset;
  job.bytes = std::move(fetched_);
  job.count = std::min<std::uint64_t>(file_bytes_ - offset, kBodyMemoryBytes);
  fetched_ = std::string();
  busy_ = true;
  bench_.file_jobs.start(std::move(job), *this);
}

void BodyStore::on_file_job(FileJob job) {
  busy_ = false;
  if (job.work == FileWork::kStore) {
    on_written(std::move(job));
  } else {
    on_fetched(std::move(job));
  }
  on_progress_();
  if (!busy_ && must_write()) write_memory();
}

void BodyStore::on_written(FileJob job) {
  file_ = std::move(job.file);
  writing_bytes_ = 0;
  if (job.done) {
    const auto written = static_cast<std::int64_t>(job.bytes.size());
    file_bytes_ += job.bytes.size();
    bench_.bodies.change(tenant_, -written, written);
    if (must_write() && !read_wanted_) write_memory();
    return;
  }
  // It stays where it is for sure.
  job.bytes.append(memory_);
  memory_ = std::move(job.bytes);
  full_ = true;
}

void BodyStore::on_fetched(FileJob job) {
  file_ = std::move(job.file);
  broken_ = !job.done;
  fetched_ = std::move(job.bytes);
  fetched_at_ = job.offset;
  if (must_write()) write_memory();
}

}  // namespace rowhouse::gateway
