#include "supervisor/shared_rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace rowhouse::supervisor {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

Result<std::uint32_t> take(std::vector<std::uint32_t>& free, std::uint32_t& next, std::uint32_t cap) {
  if (!free.empty()) {
    const std::uint32_t row = free.back();
    free.pop_back();
    return row;
  }
  if (next >= cap) return make_error(ErrorCode::kTooLarge, "shared table");
  return next++;
}

// The first row beyond all that are in use; those below it that are not are free.
std::uint32_t mark(const std::vector<std::uint32_t>& used, std::uint32_t cap, std::vector<std::uint32_t>& free) {
  const std::set<std::uint32_t> rows(used.begin(), used.end());
  const std::uint32_t next = rows.empty() ? 0 : std::min(*rows.rbegin() + 1, cap);
  for (std::uint32_t row = 0; row < next; ++row) {
    if (!rows.contains(row)) free.push_back(row);
  }
  return next;
}

// When something began: never the same twice.
std::uint64_t instant_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

void clear(proto::AppCell& cell) {
  cell.in_flight.store(0, kRelaxed);
  cell.queued.store(0, kRelaxed);
  for (auto* counter : {&cell.requests, &cell.queue_wait_us, &cell.bytes_in, &cell.bytes_out, &cell.server_errors}) {
    counter->store(0, kRelaxed);
  }
}

}  // namespace

Result<std::unique_ptr<SharedRows>> SharedRows::create() {
  UniqueFd memory(::memfd_create("rowhouse-table", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid()) return system_error("memfd_create");
  if (::ftruncate(memory.get(), sizeof(proto::SharedTable)) != 0) return system_error("ftruncate");
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return system_error("fcntl F_ADD_SEALS");
  }
  RH_ASSIGN(std::unique_ptr<SharedRows> rows, map(std::move(memory)));
  rows->table_->made_at_ns.store(instant_ns(), kRelaxed);
  return rows;
}

Result<std::unique_ptr<SharedRows>> SharedRows::adopt(UniqueFd memory, const std::vector<std::uint32_t>& apps,
                                                      const std::vector<std::uint32_t>& workers) {
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) return system_error("fstat shared table");
  if (static_cast<std::size_t>(status.st_size) != sizeof(proto::SharedTable)) {
    return make_error(ErrorCode::kInvalid, "shared table");
  }
  RH_ASSIGN(std::unique_ptr<SharedRows> rows, map(std::move(memory)));
  rows->next_app_ = mark(apps, proto::kMaxApps, rows->free_apps_);
  rows->next_worker_ = mark(workers, proto::kMaxWorkers, rows->free_workers_);
  return rows;
}

Result<std::unique_ptr<SharedRows>> SharedRows::map(UniqueFd memory) {
  std::unique_ptr<SharedRows> rows(new SharedRows);
  rows->memory_ = std::move(memory);
  void* mapped = ::mmap(nullptr, sizeof(proto::SharedTable), PROT_READ | PROT_WRITE, MAP_SHARED,
                        rows->memory_.get(), 0);
  if (mapped == MAP_FAILED) return system_error("mmap");
  rows->table_ = static_cast<proto::SharedTable*>(mapped);
  return rows;
}

SharedRows::~SharedRows() {
  if (table_ != nullptr) ::munmap(table_, sizeof(proto::SharedTable));
}

Result<std::uint32_t> SharedRows::take_app() {
  RH_ASSIGN(const std::uint32_t row, take(free_apps_, next_app_, proto::kMaxApps));
  for (proto::AppCell& cell : table_->apps[row]) clear(cell);
  for (proto::TrafficCell& cell : table_->traffic[row]) cell.connections.store(0, kRelaxed);
  for (std::uint32_t gateway = 0; gateway < proto::kMaxGateways; ++gateway) {
    if (!has_column(gateway)) continue;
    for (auto& count : table_->counts[gateway][row].counts) count.store(0, kRelaxed);
  }
  table_->row_epochs[row].store(instant_ns(), kRelaxed);
  return row;
}

Result<std::uint32_t> SharedRows::take_worker() {
  RH_ASSIGN(const std::uint32_t row, take(free_workers_, next_worker_, proto::kMaxWorkers));
  for (proto::WorkerCell& cell : table_->workers[row]) {
    cell.in_flight.store(0, kRelaxed);
    cell.given_up.store(0, kRelaxed);
    cell.requests.store(0, kRelaxed);
  }
  return row;
}

void SharedRows::give_back_app(std::uint32_t row) { free_apps_.push_back(row); }
void SharedRows::give_back_worker(std::uint32_t row) { free_workers_.push_back(row); }

void SharedRows::open_column(std::uint32_t gateway) {
  table_->columns_used.store(table_->columns_used.load(kRelaxed) | (std::uint64_t{1} << gateway), kRelaxed);
}

bool SharedRows::has_column(std::uint32_t gateway) const {
  return ((table_->columns_used.load(kRelaxed) >> gateway) & 1U) != 0;
}

void SharedRows::clear_column(std::uint32_t gateway) {
  for (std::uint32_t row = 0; row < next_app_; ++row) {
    table_->apps[row][gateway].in_flight.store(0, kRelaxed);
    table_->apps[row][gateway].queued.store(0, kRelaxed);
    table_->traffic[row][gateway].connections.store(0, kRelaxed);
  }
  for (std::uint32_t row = 0; row < next_worker_; ++row) {
    table_->workers[row][gateway].in_flight.store(0, kRelaxed);
    table_->workers[row][gateway].given_up.store(0, kRelaxed);
  }
}

std::uint32_t SharedRows::app_queued(std::uint32_t row) const {
  std::uint32_t sum = 0;
  for (const proto::AppCell& cell : table_->apps[row]) sum += cell.queued.load(kRelaxed);
  return sum;
}

std::uint32_t SharedRows::app_in_flight(std::uint32_t row) const {
  std::uint32_t sum = 0;
  for (const proto::AppCell& cell : table_->apps[row]) sum += cell.in_flight.load(kRelaxed);
  return sum;
}

bool SharedRows::sum_counts(std::uint32_t row, proto::AppTraffic& traffic) const {
  std::array<std::uint64_t, proto::kTrafficCounts> sums{};
  for (std::uint32_t gateway = 0; gateway < proto::kMaxGateways; ++gateway) {
    if (!has_column(gateway)) continue;
    const proto::CountCell& cell = table_->counts[gateway][row];
    for (std::size_t place = 0; place < sums.size(); ++place) sums[place] += cell.counts[place].load(kRelaxed);
  }
  for (std::size_t place = 0; place < sums.size(); ++place) traffic.set_count(place, sums[place]);
  traffic.epoch = table_->row_epochs[row].load(kRelaxed);
  traffic.in_flight = app_in_flight(row);
  traffic.queued = app_queued(row);
  const bool any_count = std::any_of(sums.begin(), sums.end(), [](std::uint64_t sum) { return sum != 0; });
  return any_count || traffic.in_flight != 0 || traffic.queued != 0;
}

std::uint32_t SharedRows::worker_in_flight(std::uint32_t row) const {
  std::uint32_t sum = 0;
  for (const proto::WorkerCell& cell : table_->workers[row]) sum += cell.in_flight.load(kRelaxed);
  return sum;
}

std::uint32_t SharedRows::worker_awaited(std::uint32_t row) const {
  std::uint32_t sum = 0;
  for (const proto::WorkerCell& cell : table_->workers[row]) {
    // Two loads of another process's cells: they may not fit each other for a moment.
    const std::uint32_t open = cell.in_flight.load(kRelaxed), given_up = cell.given_up.load(kRelaxed);
    sum += open > given_up ? open - given_up : 0;
  }
  return sum;
}

std::uint64_t SharedRows::worker_requests(std::uint32_t row) const {
  std::uint64_t sum = 0;
  for (const proto::WorkerCell& cell : table_->workers[row]) sum += cell.requests.load(kRelaxed);
  return sum;
}

}  // namespace rowhouse::supervisor
