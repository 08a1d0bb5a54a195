#include "gateway/probe.h"

#include <chrono>

#include "gateway/path.h"
#include "gateway/request_encoder.h"
#include "gateway/response_rules.h"
#include "gateway/running_request.h"
#include "gateway/worker.h"

namespace rowhouse::gateway {
namespace {

// What an app and its log see as the client.
constexpr std::string_view kAgent = "Rowhouse-Health/1";
constexpr const char* kClient = "127.0.0.1";
constexpr std::uint16_t kPort = 80;

}  // namespace

Probe::Probe(Workbench& bench, const proto::Probe& order, Duration request_time, Done on_done)
    : bench_(bench),
      order_(order),
      request_time_(request_time),
      on_done_(std::move(on_done)),
      deadline_at_(bench.turn.now() + std::chrono::milliseconds(order.time_ms)),
      deadline_(bench.deadlines, [this] { finish(proto::ProbeOutcome::kTimeOver); }) {
  deadline_.set(deadline_at_);
}

// By the same way as a client's head: the supervisor's words are no more trusted than those to be well-formed.
bool Probe::encode() {
  Request request;
  request.block = "GET " + order_.prefix.str() + order_.path.str() + " HTTP/1.1\r\nHost: " + order_.host.str() +
                  "\r\nUser-Agent: " + std::string(kAgent) + "\r\nAccept: */*\r\n\r\n";
  const auto checked = check_head(request.block, bench_.head_fields);
  const CheckedHead* const head = std::get_if<CheckedHead>(&checked);
  if (head == nullptr || !normalise_path(head->path, request.path).ok()) return false;
  request.request_id = bench_.request_ids.next();
  describe_request(request, *head);
  ClientAddress client;
  client.remote = kClient;
  client.server_port = kPort;
  return !encode_request(frame_, bench_.encoder, request, *head, {order_.app, order_.prefix.view().size()}, client);
}

void Probe::try_start(Worker& worker) {
  if (!worker.is_usable()) return decline();
  if (!worker.channel().has_room()) return;
  if (!encode()) return decline();
  deadline_.clear();
  worker_ = &worker;
  asked_at_ms_ = bench_.turn.wall_ms();
  asked_at_ = bench_.turn.now();
  stream_ = &worker.open(frame_, *this, deadline_at_);
}

void Probe::on_response(const proto::ResponseHead& head) {
  status_ = head.status;
  if (!check_response(head).ok()) stop(proto::ProbeOutcome::kFailed);
}

void Probe::on_data(std::string_view bytes) {
  if (!bytes.empty()) worker_->channel().grant(*stream_, static_cast<std::uint32_t>(bytes.size()));
}

// Nobody waits any more; the worker must still close the stream.
void Probe::stop(proto::ProbeOutcome outcome) {
  stream_->deadline.set(bench_.turn.now() + request_time_);
  const RunningRequest asked{asked_at_ms_, asked_at_, "GET", order_.path.view(), order_.host.view(), {}};
  worker_->channel().give_up(*stream_, proto::AbortReason::kClientGone, asked);
  finish(outcome);
}

void Probe::finish(proto::ProbeOutcome outcome) {
  deadline_.clear();
  const bool answered = outcome == proto::ProbeOutcome::kAnswered;
  on_done_(*this, {order_.app, order_.probe, outcome, answered ? status_ : std::uint16_t{0}});
}

}  // namespace rowhouse::gateway
