// One health check: a GET of the gateway's own to one worker, known or not yet in use, and what came back.  No
// client, no queue, no access record; the answer's body is read and thrown away.
//
//              try_start: room                END
//   waiting ------------------------> asked -------> kAnswered(status)
//      |--- time over -----> kTimeOver <--|
//      |--- decline(): kNotAsked          |--- ABORT, bad head, loss of the worker --> kFailed
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gateway/deadlines.h"
#include "gateway/stream.h"
#include "gateway/workbench.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

class Worker;

class Probe final : public Mortal, private StreamListener {
 public:
  // Called once, as the last thing that the probe does; its owner then buries it.
  using Done = std::function<void(Probe&, const proto::Probed&)>;

  Probe(Workbench& bench, const proto::Probe& order, Duration request_time, Done on_done);

  [[nodiscard]] const proto::Probe& order() const { return order_; }
  [[nodiscard]] bool is_waiting() const { return stream_ == nullptr; }
  // Asks the worker if it has room.  REQUIRES: is_waiting(); the worker ends every stream before it goes.
  void try_start(Worker& worker);
  // There is no such worker (any more).  REQUIRES: is_waiting().
  void decline() { finish(proto::ProbeOutcome::kNotAsked); }

 private:
  void on_started() override {}
  void on_response(const proto::ResponseHead& head) override;
  void on_tunnel(const proto::ResponseHead&) override { stop(proto::ProbeOutcome::kFailed); }
  void on_data(std::string_view bytes) override;
  void on_end(const proto::End&) override { finish(proto::ProbeOutcome::kAnswered); }
  void on_abort(proto::AbortReason) override { finish(proto::ProbeOutcome::kFailed); }
  void on_lost(StreamLoss, StreamPhase) override { finish(proto::ProbeOutcome::kFailed); }
  void on_body_room() override {}
  void on_credit() override {}
  void on_time_over() override { stop(proto::ProbeOutcome::kTimeOver); }

  [[nodiscard]] bool encode();
  void stop(proto::ProbeOutcome outcome);
  void finish(proto::ProbeOutcome outcome);

  Workbench& bench_;
  const proto::Probe order_;
  const Duration request_time_;  // in which a worker must end a stream that nobody waits for
  const Done on_done_;
  std::string frame_;
  std::uint16_t status_ = 0;
  const Instant deadline_at_;
  Deadline deadline_;  // while it waits
  std::int64_t asked_at_ms_ = 0;
  Instant asked_at_{};
  Worker* worker_ = nullptr;
  Stream* stream_ = nullptr;  // from try_start on
};

}  // namespace rowhouse::gateway
