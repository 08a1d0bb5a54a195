// One app as this gateway sees it: its limits, its queue, its workers, and which generation of them is used.
// All it knows comes from the supervisor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/exchange.h"
#include "gateway/exchange_queue.h"
#include "gateway/refusal.h"
#include "gateway/share.h"
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
};

class WorkerFaultListener {
 public:
  virtual ~WorkerFaultListener() = default;
  virtual void on_worker_fault(const WorkerIdentity& worker, proto::FaultKind kind) = 0;
};

class App final : public Mortal, public WorkerListener {
 public:
  App(Workbench& bench, std::uint32_t number, WorkerFaultListener& faults);
  ~App() override;

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] const AppLimits& limits() const { return limits_; }

  // --- from the supervisor ---
  void set_limits(const AppLimits& limits, AppShare share);
  void set_condition(proto::AppCondition condition, std::uint32_t retry_after_s);
  void switch_to(std::uint32_t generation);
  void add_worker(const WorkerIdentity& identity, WorkerShare share, UniqueFd channel);
  // False when no such worker is known.
  [[nodiscard]] bool remove_worker(std::uint32_t generation, std::uint32_t worker);
  // Refuses what waits and drops all workers.
  void remove();

  // --- from exchanges ---
  // Sends the request to a worker or lets it wait (Exchange::on_queued), else refuses.
  [[nodiscard]] std::optional<Refusal> submit(Exchange& exchange);
  // The same for one that was admitted before and never ran: it is next.
  [[nodiscard]] std::optional<Refusal> submit_again(Exchange& exchange);
  void leave_queue(Exchange& exchange);
  // A request of this app is over.
  void count(const ExchangeTally& tally);

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

  Workbench& bench_;
  const std::uint32_t number_;
  WorkerFaultListener& faults_;
  TurnTask dispatch_task_;
  Deadline recheck_;  // for room that only another gateway sees come

  AppLimits limits_;
  AppShare share_;
  proto::AppCondition condition_ = proto::AppCondition::kServing;
  std::uint32_t retry_after_s_ = 0;
  bool removed_ = false;
  std::uint32_t generation_ = 0;  // 0: none yet
  std::uint32_t in_flight_ = 0;   // streams of this gateway
  ExchangeQueue queue_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace rowhouse::gateway
