#include "supervisor/gateways.h"

#include <algorithm>
#include <csignal>
#include <random>
#include <utility>

#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/ending.h"

namespace rowhouse::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMaxUnansweredPings = 5;  // a loop that is blocked longer is ended (THREATS R09)
constexpr Backoff::Limits kRestartLimits{milliseconds(100), seconds(2), seconds(30)};

std::uint32_t random_number() {
  static std::random_device device;
  return device();
}

}  // namespace

Gateways::Gateways(Order order, GatewaysListener& listener)
    : order_(std::move(order)),
      listener_(listener),
      ready_(order_.loop, [this] { on_replacement_late(); }),
      ping_(order_.loop, [this] { ping(); }) {
  const std::uint32_t columns = std::min(2 * order_.count, proto::kMaxGateways);
  running_.resize(columns);
  access_sockets_.resize(columns);
  kept_access_.resize(columns);
  backoffs_.assign(columns, Backoff(kRestartLimits));
  unanswered_.assign(columns, 0);
  for (std::uint32_t i = 0; i < columns; ++i) {
    restarts_.push_back(std::make_unique<Timer>(order_.loop, [this, i] { start_one(i); }));
  }
}

void Gateways::start() {
  for (std::uint32_t i = 0; i < order_.count; ++i) start_one(i);
  ping_.repeat(kPingPeriod);
}

void Gateways::start_one(std::uint32_t index) {
  if (retiring_) return;
  // A replacement may have filled its place while it waited for its time.
  if (!replacement_ && count_active() >= order_.count) return;
  if (const Status launched = launch(index); !launched.ok()) {
    log_error("cannot start a gateway", {{"gateway", index}, {"reason", launched.error()}});
    // One that was not told everything: the next comes when it has ended.
    if (running_[index] != nullptr) return kill(index);
    restarts_[index]->start(seconds(1));
  }
}

Status Gateways::launch(std::uint32_t index) {
  RH_ASSIGN(SocketPair control, create_seqpacket_pair());
  RH_ASSIGN(SocketPair access, create_seqpacket_pair());
  RH_TRY(set_nonblocking(access.ours.get()));
  RH_TRY(set_nonblocking(access.theirs.get()));
  RH_ASSIGN(const std::vector<UniqueFd> procs, order_.cgroup.open_v1_procs());
  KeeperLink& keeper = order_.launcher->keeper();
  LaunchOrder launch;
  order_.rows->open_column(index);
  launch.record = {proto::KeptKind::kGateway, 0, keeper.next_start(), index};
  RH_ASSIGN(Kept kept, Kept::keep(keeper, launch.record, control.ours.get()));
  launch.program = order_.program;
  launch.arguments = {"rowhouse-gateway"};
  launch.user = order_.user;
  launch.control = control.theirs.get();
  launch.empty_root = order_.empty_root.get();
  launch.cgroup_v2 = order_.cgroup.v2_directory();
  for (const UniqueFd& fd : procs) launch.cgroup_v1_procs.push_back(fd.get());
  RH_ASSIGN(LaunchedProcess process, order_.launcher->launch(launch));

  install(index, std::move(process), std::move(kept), std::move(control.ours));
  Gateway& gateway = *running_[index];
  gateway.link().send(proto::GatewaySetup{index, static_cast<std::uint32_t>(running_.size()), order_.connections_per_address}, {access.theirs.get(), order_.rows->memory()});
  gateway.link().send(order_.options);
  gateway.link().send(proto::SpoolDirectory{}, {order_.spool.get()});
  if (order_.acme_directory.valid()) {
    gateway.link().send(proto::AcmeDirectory{order_.acme_uid}, {order_.acme_directory.get()});
  }
  for (const proto::TrustedProxy& proxy : order_.trusted_proxies) gateway.link().send(proxy);
  tell_doors(gateway);
  // Stored last: a gateway without it was not told everything.
  RH_ASSIGN(kept_access_[index], Kept::keep(keeper, {proto::KeptKind::kAccessRecords, 0, launch.record.generation, index},
                                            access.ours.get()));
  access_sockets_[index] = std::move(access.ours);
  listener_.on_access_socket(index, access_sockets_[index].get());
  listener_.on_gateway_started(gateway);
  return {};
}

void Gateways::tell_doors(Gateway& gateway) {
  for (const Door& door : order_.doors) {
    gateway.link().send(proto::Listener{door.number, door.listen.proxy_protocol}, {door.socket.get()});
  }
}

void Gateways::set_doors(std::vector<Door> doors, const std::vector<std::uint32_t>& gone) {
  order_.doors = std::move(doors);
  // One that is being taken over hears of it when it has said what it has.
  if (!resyncing_.empty()) order_.doors_gone.insert(order_.doors_gone.end(), gone.begin(), gone.end());
  for_each([&](Gateway& gateway) {
    tell_doors(gateway);
    for (const std::uint32_t number : gone) gateway.link().send(proto::ListenerGone{number});
  });
}

void Gateways::install(std::uint32_t index, LaunchedProcess process, Kept kept, UniqueFd control) {
  PeerLink::Events events{[this, index](proto::IncomingMessage& message) { on_message(index, message); },
                          [this, index](const char* reason) { on_closed(index, reason); }};
  running_[index] = std::make_unique<Gateway>(order_.loop, std::move(process), std::move(kept), std::move(control),
                                              std::move(events));
  unanswered_[index] = 0;
}

void Gateways::on_message(std::uint32_t index, proto::IncomingMessage& message) {
  if (running_[index] == nullptr) return;
  PeerLink& link = running_[index]->link();
  switch (static_cast<int>(message.type)) {
    case static_cast<int>(proto::MessageType::kGatewayReady):
      link.set_running();
      unanswered_[index] = 0;
      backoffs_[index].on_healthy(order_.clock->now());
      on_replaced_ready(index);
      return listener_.on_gateway_ready();
    case static_cast<int>(proto::MessageType::kPong): unanswered_[index] = 0; return;
    case static_cast<int>(proto::MessageType::kSwitched): {
      const auto switched = proto::decode_message<proto::Switched>(message);
      if (!switched.ok()) return on_closed(index, "sent a malformed message");
      return confirm(index, switched.value().app, switched.value().generation);
    }
    case static_cast<int>(proto::MessageType::kWorkerFault): {
      const auto fault = proto::decode_message<proto::WorkerFault>(message);
      if (!fault.ok()) return on_closed(index, "sent a malformed message");
      return listener_.on_worker_fault(fault.value());
    }
    case static_cast<int>(proto::MessageType::kAppWanted): {
      const auto wanted = proto::decode_message<proto::AppWanted>(message);
      if (!wanted.ok()) return on_closed(index, "sent a malformed message");
      return listener_.on_app_wanted(wanted.value().app);
    }
    case static_cast<int>(proto::MessageType::kProbed): {
      const auto probed = proto::decode_message<proto::Probed>(message);
      if (!probed.ok()) return on_closed(index, "sent a malformed message");
      return listener_.on_probed(probed.value());
    }
    case static_cast<int>(proto::MessageType::kGatewayApp):
    case static_cast<int>(proto::MessageType::kGatewayWorker):
    case static_cast<int>(proto::MessageType::kResynced): return on_said(index, message);
    default: return;  // AppCommitted: nothing waits for it
  }
}

void Gateways::on_closed(std::uint32_t index, const char* reason) {
  if (running_[index] == nullptr) return;
  // An end in order shows in its exit status; until then make sure that it ends.
  if (!retiring_ && !leaving_.contains(index)) log_warning("gateway lost", {{"gateway", index}, {"reason", reason}});
  kill(index);
}

bool Gateways::on_child_exit(std::uint64_t child, int code, int status) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& gateway) {
    return gateway != nullptr && gateway->process().child == child;
  });
  if (found == running_.end()) return false;
  const std::uint32_t index = (*found)->index();
  const proto::HostDeath death = death_of(**found, code, status);
  order_.graveyard->bury(std::move(*found));
  forget(index);
  settle(index);
  if (retiring_) {
    const bool all = std::all_of(running_.begin(), running_.end(), [](const auto& g) { return g == nullptr; });
    if (all) listener_.on_all_gateways_retired();
    return true;
  }
  if (is_departure(index)) return true;
  const Duration delay = backoffs_[index].on_death(order_.clock->now(), random_number());
  log_error("gateway died", {{"gateway", index}, {"code", code}, {"status", status},
                             {"restart_in_ms", delay.count() / 1000}});
  restarts_[index]->start(std::chrono::duration_cast<milliseconds>(delay));
  listener_.on_gateway_died(death);
  return true;
}

proto::HostDeath Gateways::death_of(const Gateway& gateway, int code, int status) {
  const std::uint64_t oom_kills = order_.cgroup.counters().oom_kills;
  proto::Ending ending = classify_host_ending(code, status, oom_kills - std::exchange(oom_kills_, oom_kills));
  if (is_stuck(gateway)) ending = {proto::Cause::kUnresponsive, 0};
  return {proto::HostProcess::kGateway, gateway.index(), static_cast<std::uint32_t>(gateway.process().pid),
          ending.cause, ending.argument, order_.clock->wall_ms()};
}

void Gateways::forget(std::uint32_t index) {
  order_.rows->clear_column(index);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> waiting;
  for (const auto& [key, pending] : switches_) {
    if (pending.waiting.contains(index)) waiting.push_back(key);
  }
  for (const auto& [app, generation] : waiting) confirm(index, app, generation);
}

void Gateways::switch_to(std::uint32_t app, std::uint32_t generation, std::function<void()> on_done) {
  PendingSwitch pending;
  pending.on_done = std::move(on_done);
  for_each([&](Gateway& gateway) {
    pending.waiting.insert(gateway.index());
    gateway.link().send(proto::Switch{app, generation});
  });
  if (pending.waiting.empty()) return pending.on_done();  // a fresh gateway is told when it starts
  switches_[{app, generation}] = std::move(pending);
}

void Gateways::confirm(std::uint32_t index, std::uint32_t app, std::uint32_t generation) {
  const auto found = switches_.find({app, generation});
  if (found == switches_.end()) return;
  found->second.waiting.erase(index);
  if (!found->second.waiting.empty()) return;
  const std::function<void()> on_done = std::move(found->second.on_done);
  switches_.erase(found);
  on_done();
}

bool Gateways::all_ready() const {
  const auto ready = std::count_if(running_.begin(), running_.end(), [](const auto& gateway) {
    return gateway != nullptr && gateway->link().running();
  });
  return static_cast<std::uint32_t>(ready) >= order_.count;
}

void Gateways::offer_access_sockets() {
  for (std::uint32_t i = 0; i < access_sockets_.size(); ++i) {
    if (access_sockets_[i].valid()) listener_.on_access_socket(i, access_sockets_[i].get());
  }
}

void Gateways::ping() {
  ++nonce_;
  for (const auto& gateway : running_) {
    if (gateway == nullptr) continue;
    ++unanswered_[gateway->index()];
    if (is_stuck(*gateway)) {
      const char* event = gateway->ready() ? "gateway does not answer" : "a gateway does not become ready";
      log_error(event, {{"gateway", gateway->index()}});
      kill(gateway->index());
    } else if (gateway->ready()) {
      gateway->link().send(proto::Ping{nonce_});
    }
  }
}

bool Gateways::is_stuck(const Gateway& gateway) const {
  const int patience = gateway.ready() ? kMaxUnansweredPings : static_cast<int>(kReadyDeadline / kPingPeriod);
  return unanswered_[gateway.index()] > patience;
}

void Gateways::retire(milliseconds drain) {
  retiring_ = true;
  ping_.stop();
  const bool none = std::all_of(running_.begin(), running_.end(), [](const auto& g) { return g == nullptr; });
  if (none) return listener_.on_all_gateways_retired();
  tell_all(proto::Retire{static_cast<std::uint32_t>(drain.count())});
}

void Gateways::kill() {
  for (const auto& gateway : running_) {
    if (gateway != nullptr) kill(gateway->index());
  }
}

void Gateways::kill(std::uint32_t index) {
  signal_process(running_[index]->process().pidfd, SIGKILL);
}

}  // namespace rowhouse::supervisor
