#include "gateway/app.h"

#include <algorithm>

#include "gateway/caps.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;

constexpr std::uint32_t kQueueFullRetryS = 1;
constexpr std::uint16_t kFirstServerError = 500;

constexpr Refusal kQueueFull{503, Cause::kQueueFull, kQueueFullRetryS, AfterAnswer::kKeepAlive};
constexpr Refusal kTooOften{429, Cause::kRate, 1, AfterAnswer::kKeepAlive};
constexpr Refusal kStopped{503, Cause::kStopped, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kSuspended{503, Cause::kSuspended, 0, AfterAnswer::kKeepAlive};

std::uint64_t us_between(Instant from, Instant to) {
  return to > from ? static_cast<std::uint64_t>((to - from).count()) : 0;
}

}  // namespace

App::App(Workbench& bench, std::uint32_t number, AppListener& listener)
    : bench_(bench),
      number_(number),
      listener_(listener),
      dispatch_task_(bench.turn, TurnStage::kResume, [this] { dispatch_queue(); }),
      recheck_(bench.deadlines, [this] { dispatch_queue(); }),
      wanted_(bench.deadlines, [this] { dispatch_queue(); }) {}

App::~App() = default;

void App::set_limits(const AppLimits& limits, AppShare share) {
  limits_ = limits;
  share_ = share;
  share_.own().in_flight.store(in_flight_, std::memory_order_relaxed);
  store_queued();
  dispatch_task_.schedule();
}

const std::string* AppOptions::page(std::uint16_t status) const {
  const auto found = std::find_if(pages.begin(), pages.end(), [status](const Page& known) {
    return status >= known.first_status && status <= known.last_status;
  });
  return found == pages.end() ? nullptr : &found->html;
}

void App::set_condition(proto::AppCondition condition, std::uint32_t retry_after_s) {
  condition_ = condition;
  retry_after_s_ = retry_after_s;
  if (const auto refusal = refusal_now()) refuse_waiting(*refusal);
}

void App::switch_to(std::uint32_t generation) {
  generation_ = generation;
  dispatch_task_.schedule();
}

void App::add_worker(const WorkerIdentity& identity, WorkerShare share, UniqueFd channel) {
  workers_.push_back(std::make_unique<Worker>(bench_, share, identity, std::move(channel), *this));
}

bool App::remove_worker(std::uint32_t generation, std::uint32_t worker) {
  const auto place = std::find_if(workers_.begin(), workers_.end(), [&](const auto& known) {
    return known->identity().generation == generation && known->identity().worker == worker;
  });
  if (place == workers_.end()) return false;
  std::unique_ptr<Worker> gone = std::move(*place);
  workers_.erase(place);
  gone->on_gone();
  bench_.turn.bury(std::move(gone));
  start_probes();
  if (const auto refusal = refusal_now()) refuse_waiting(*refusal);
  return true;
}

void App::remove() {
  removed_ = true;
  refuse_waiting(kStopped);
  std::vector<std::unique_ptr<Worker>> workers = std::move(workers_);
  workers_.clear();
  for (std::unique_ptr<Worker>& worker : workers) {
    worker->drop();
    bench_.turn.bury(std::move(worker));
  }
  start_probes();
  recheck_.clear();
  wanted_.clear();
}

Worker* App::find_worker(std::uint32_t generation, std::uint32_t worker) const {
  for (const auto& known : workers_) {
    if (known->identity().generation == generation && known->identity().worker == worker) return known.get();
  }
  return nullptr;
}

void App::spare_worker(std::uint32_t generation, std::uint32_t worker) {
  Worker* const known = find_worker(generation, worker);
  if (known != nullptr) known->spare();
  dispatch_task_.schedule();
}

void App::probe(const proto::Probe& order) {
  if (removed_ || probes_.size() == kMaxProbes) {
    return listener_.on_probed({number_, order.probe, proto::ProbeOutcome::kNotAsked, 0});
  }
  probes_.push_back(std::make_unique<Probe>(
      bench_, order, limits_.request_time,
      [this](Probe& done, const proto::Probed& answer) { on_probe_done(done, answer); }));
  start_probes();
}

// A fresh worker has room once it has greeted.
void App::start_probes() {
  std::vector<Probe*> waiting;
  for (const auto& probe : probes_) {
    if (probe->is_waiting()) waiting.push_back(probe.get());
  }
  for (Probe* probe : waiting) {
    Worker* const worker = find_worker(probe->order().generation, probe->order().worker);
    if (worker == nullptr) {
      probe->decline();
      continue;
    }
    probe->try_start(*worker);
    if (probe->is_waiting()) continue;
    // The worker's end of it is counted as that of any request.
    ++in_flight_;
    share_.own().in_flight.store(in_flight_, std::memory_order_relaxed);
  }
}

void App::on_probe_done(Probe& probe, const proto::Probed& answer) {
  const auto place =
      std::find_if(probes_.begin(), probes_.end(), [&](const auto& known) { return known.get() == &probe; });
  bench_.turn.bury(std::move(*place));
  probes_.erase(place);
  listener_.on_probed(answer);
}

// --- requests --------------------------------------------------------------------------------------------

// Why no request may wait now, if so.
std::optional<Refusal> App::refusal_now() const {
  if (removed_) return kStopped;
  switch (condition_) {
    case proto::AppCondition::kServing: return std::nullopt;
    case proto::AppCondition::kStopped: return kStopped;
    case proto::AppCondition::kSuspended: return kSuspended;
    case proto::AppCondition::kBackoff:
      if (has_worker()) return std::nullopt;
      return Refusal{503, Cause::kBackoff, std::max(1U, retry_after_s_), AfterAnswer::kKeepAlive};
  }
  return std::nullopt;
}

std::optional<Refusal> App::admit() {
  if (const auto refusal = refusal_now()) return refusal;
  if (rate_ != nullptr && !rate_->admit(number_, bench_.turn.now())) return kTooOften;
  return std::nullopt;
}

std::optional<Refusal> App::submit(Exchange& exchange) {
  if (const auto refusal = refusal_now()) return refusal;
  if (queue_.empty() && dispatch(exchange)) return std::nullopt;
  if (share_.queued() >= limits_.queue) return kQueueFull;
  queue_.push_back(exchange);
  store_queued();
  exchange.on_queued(bench_.turn.now() + limits_.queue_time);
  dispatch_task_.schedule();
  return std::nullopt;
}

std::optional<Refusal> App::submit_again(Exchange& exchange) {
  if (const auto refusal = refusal_now()) return refusal;
  queue_.push_front(exchange);
  store_queued();
  exchange.on_queued(bench_.turn.now() + limits_.queue_time);
  dispatch_task_.schedule();
  return std::nullopt;
}

void App::leave_queue(Exchange& exchange) {
  queue_.remove(exchange);
  store_queued();
}

void App::dispatch_queue() {
  recheck_.clear();
  if (!probes_.empty()) start_probes();
  while (!queue_.empty()) {
    Exchange& next = queue_.front();
    queue_.remove(next);
    if (!dispatch(next)) {
      queue_.push_front(next);
      break;
    }
  }
  store_queued();
  call_for_worker();
  // Room that another gateway gives up is not announced.
  if (!queue_.empty() && has_worker() && share_.count() > 1) recheck_.set(bench_.turn.now() + kRecheckTime);
}

// Said once when requests begin to wait for a first worker, then in long intervals: it may have been lost.
void App::call_for_worker() {
  if (queue_.empty() || has_worker()) return wanted_.clear();
  if (wanted_.is_set()) return;
  wanted_.set(bench_.turn.now() + kWantedPeriod);
  listener_.on_app_wanted(number_);
}

bool App::dispatch(Exchange& exchange) {
  if (share_.in_flight() >= limits_.concurrency) return false;
  Worker* const worker = find_worker(exchange.request());
  if (worker == nullptr) return false;
  ++in_flight_;
  share_.own().in_flight.store(in_flight_, std::memory_order_relaxed);
  exchange.dispatch(*worker);
  return true;
}

// One worker is filled before the next is used: fewer switches between processes for the same work.
Worker* App::find_worker(const Request& request) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (is_used(*worker) && worker->has_room(request)) return worker.get();
  }
  return nullptr;
}

bool App::is_used(const Worker& worker) const {
  return worker.identity().generation == generation_;
}

bool App::has_worker() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [this](const auto& worker) { return is_used(*worker) && worker->is_usable(); });
}

void App::on_request_left() {
  --in_flight_;
  share_.own().in_flight.store(in_flight_, std::memory_order_relaxed);
  if (!queue_.empty()) dispatch_task_.schedule();
}

void App::on_worker_fault(Worker& worker, proto::FaultKind kind) {
  listener_.on_worker_fault(worker.identity(), kind);
}

void App::refuse_waiting(const Refusal& refusal) {
  while (!queue_.empty()) {
    Exchange& exchange = queue_.front();
    leave_queue(exchange);
    exchange.refuse_queued(refusal);
  }
  while (!collecting_.empty()) {
    Exchange& exchange = collecting_.front();
    leave_collecting(exchange);
    exchange.refuse_queued(refusal);
  }
}

void App::store_queued() {
  share_.own().queued.store(static_cast<std::uint32_t>(queue_.size()), std::memory_order_relaxed);
}

void App::count(const ExchangeTally& tally) {
  proto::AppCell& own = share_.own();
  proto::add_to_own(own.requests, std::uint64_t{1});
  proto::add_to_own(own.queue_wait_us, us_between(tally.queued_at, tally.sent_at));
  proto::add_to_own(own.bytes_in, tally.bytes_in);
  proto::add_to_own(own.bytes_out, tally.bytes_out);
  if (tally.status >= kFirstServerError) proto::add_to_own(own.server_errors, std::uint64_t{1});
}

void App::count_record(const ExchangeTally& tally, const proto::AccessRecord& record) {
  if (counts_ == nullptr) return;
  const auto add = [this](std::size_t place, std::uint64_t amount) {
    proto::add_to_own(counts_->counts[place], amount);
  };
  const auto observe = [&add](std::size_t histogram, std::uint32_t us) {
    add(histogram + proto::latency_bucket(us), 1);
    add(histogram + proto::kLatencyBuckets, us);
  };
  add(proto::kClassCounts + proto::class_of_status(record.status), 1);
  add(proto::kBytesInCount, record.bytes_in);
  add(proto::kBytesOutCount, record.bytes_out);
  if (record.cause != proto::Cause::kNone) add(proto::refusal_count(record.cause), 1);
  if (tally.queued_at == Instant{}) return;
  observe(proto::kGatewayHistogram, record.gateway_us);
  observe(proto::kQueueHistogram, record.queue_us);
  if (tally.sent_at != Instant{}) observe(proto::kAppHistogram, record.app_us);
}

}  // namespace rowhouse::gateway
