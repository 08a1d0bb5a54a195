// One app as this gateway sees it: its limits, its queue, its workers, and which generation of them is used.
// All it knows comes from the supervisor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/compression.h"
#include "gateway/exchange.h"
#include "gateway/exchange_queue.h"
#include "gateway/probe.h"
#include "gateway/refusal.h"
#include "gateway/share.h"
#include "gateway/tenant_rate.h"
#include "gateway/workbench.h"
#include "gateway/worker.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

struct AppLimits {
  std::uint64_t body_bytes = 0;
  Duration request_time{};
  Duration queue_time{};
  std::uint32_t concurrency = 0;  // in flight, all gateways together
  std::uint32_t queue = 0;        // waiting, all gateways together
  proto::RetryPolicy retry = proto::RetryPolicy::kUnstarted;
  std::uint32_t owner = 0;  // the tenant's uid
};

// What the tenant wants of the app's answers.
struct AppOptions {
  struct Page {
    std::uint16_t first_status = 0, last_status = 0;
    std::string html;
  };
  std::vector<Page> pages;  // in place of ours
  CompressRules compress;
  bool buffering = true;  // a request's body is kept whole before a worker gets it
  bool buffer_responses = true;
  proto::AccessFormat access_format = proto::AccessFormat::kCombined;
  // Null when there is none for this status.
  [[nodiscard]] const std::string* page(std::uint16_t status) const;
};

// What the supervisor must hear of an app.
class AppListener {
 public:
  virtual ~AppListener() = default;
  virtual void on_worker_fault(const WorkerIdentity& worker, proto::FaultKind kind) = 0;
  // Requests wait, and no worker that may be used is there; again every kWantedPeriod.
  virtual void on_app_wanted(std::uint32_t app) = 0;
  virtual void on_probed(const proto::Probed& answer) = 0;
};

class App final : public Mortal, public WorkerListener {
 public:
  App(Workbench& bench, std::uint32_t number, AppListener& listener);
  ~App() override;

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] const AppLimits& limits() const { return limits_; }
  [[nodiscard]] std::uint32_t generation() const { return generation_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

  // --- from the supervisor ---
  void set_limits(const AppLimits& limits, AppShare share);
  void set_options(AppOptions options) { options_ = std::move(options); }
  // Where its requests are counted for metrics and bills.
  void set_counts(proto::CountCell& cell) { counts_ = &cell; }
  // Outlives the app, or is replaced before it goes.
  void set_rate(TenantRate* rate) { rate_ = rate; }
  [[nodiscard]] const AppOptions& options() const { return options_; }
  void set_condition(proto::AppCondition condition, std::uint32_t retry_after_s);
  void switch_to(std::uint32_t generation);
  void add_worker(const WorkerIdentity& identity, WorkerShare share, UniqueFd channel);
  // False when no such worker is known.
  [[nodiscard]] bool remove_worker(std::uint32_t generation, std::uint32_t worker);
  // It gets no more requests.
  void spare_worker(std::uint32_t generation, std::uint32_t worker);
  // Answers by AppListener::on_probed.
  void probe(const proto::Probe& order);
  // Refuses what waits and drops all workers.
  void remove();

  // Nothing of it is served, also what needs no worker.
  [[nodiscard]] bool is_suspended() const { return condition_ == proto::AppCondition::kSuspended; }

  // --- from exchanges ---
  // Whether a request may come at all; each is to be admitted once.
  [[nodiscard]] std::optional<Refusal> admit();
  // The body of an admitted request is being collected; until leave_collecting() the app may refuse it.
  void collect(Exchange& exchange) { collecting_.push_back(exchange); }
  void leave_collecting(Exchange& exchange) { collecting_.remove(exchange); }
  // Sends an admitted request to a worker or lets it wait (Exchange::on_queued), else refuses.
  [[nodiscard]] std::optional<Refusal> submit(Exchange& exchange);
  // The same for one that was admitted before and never ran: it is next.
  [[nodiscard]] std::optional<Refusal> submit_again(Exchange& exchange);
  void leave_queue(Exchange& exchange);
  // A request of this app is over.
  void count(const ExchangeTally& tally);
  // A request of its site is over, also one that never came to the app: for metrics and bills.
  void count_record(const ExchangeTally& tally, const proto::AccessRecord& record);

 private:
  void on_worker_room() override { dispatch_task_.schedule(); }
  void on_request_left() override;
  void on_worker_fault(Worker& worker, proto::FaultKind kind) override;

  void dispatch_queue();
  [[nodiscard]] bool dispatch(Exchange& exchange);
  [[nodiscard]] Worker* find_worker(const Request& request);
  [[nodiscard]] bool has_worker() const;
  [[nodiscard]] bool is_used(const Worker& worker) const;
  [[nodiscard]] std::optional<Refusal> refusal_now() const;
  void refuse_waiting(const Refusal& refusal);
  void store_queued();
  void call_for_worker();
  void start_probes();
  void on_probe_done(Probe& probe, const proto::Probed& answer);
  [[nodiscard]] Worker* find_worker(std::uint32_t generation, std::uint32_t worker) const;

  Workbench& bench_;
  const std::uint32_t number_;
  AppListener& listener_;
  TurnTask dispatch_task_;
  Deadline recheck_;  // for room that only another gateway sees come
  Deadline wanted_;   // until AppWanted is said again

  AppLimits limits_;
  AppOptions options_;
  TenantRate* rate_ = nullptr;
  AppShare share_;
  proto::AppCondition condition_ = proto::AppCondition::kServing;
  std::uint32_t retry_after_s_ = 0;
  bool removed_ = false;
  std::uint32_t generation_ = 0;  // 0: none yet
  std::uint32_t in_flight_ = 0;   // streams of this gateway
  ExchangeQueue queue_;
  ExchangeQueue collecting_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Probe>> probes_;  // under way
  proto::CountCell* counts_ = nullptr;          // not before set_counts()
};

}  // namespace rowhouse::gateway
