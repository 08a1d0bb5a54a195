#include "supervisor/control_link.h"

#include <csignal>
#include <random>
#include <utility>

#include "base/foreign_files.h"
#include "base/log.h"
#include "proto/common_messages.h"
#include "proto/usage_messages.h"
#include "supervisor/ending.h"

namespace rowhouse::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Callers wait in the socket's queue meanwhile, and workers' lines in their pipes.
constexpr std::uint32_t kDrainMs = 2'000;

constexpr seconds kPingPeriod{1};
// A transaction of the usage database, a log that is synced or an answer about a whole large host may stop its loop
// for seconds.  Counted, so that a host that slept kills nobody.
constexpr int kMaxUnansweredPings = 10;
// It opens the logs and reads what it has kept, and one that never gets so far would be started for ever.
constexpr int kMaxPeriodsUntilReady = 30;
constexpr milliseconds kRetirePatience = milliseconds(kDrainMs) + kMaxUnansweredPings * kPingPeriod;

constexpr Backoff::Limits kRestartLimits{milliseconds(100), seconds(5), seconds(30)};

}  // namespace

ControlLink::ControlLink(Order order, ControlListener& listener)
    : order_(std::move(order)),
      listener_(listener),
      backoff_(kRestartLimits),
      deaths_([this](const DeathLedger::Entry& entry) {
        std::visit([this](const auto& death) { send(death); }, entry);
      }),
      restart_(order_.loop, [this] { start(); }),
      ping_(order_.loop, [this] { ping(); }),
      retired_(order_.loop, [this] {
        log_error("control does not leave");
        kill();
      }) {}

void ControlLink::start() {
  if (closing_) return;
  if (const Status launched = launch(); !launched.ok()) {
    log_error("cannot start control", {{"reason", launched.error()}});
    restart_.start(seconds(1));
  }
}

Status ControlLink::launch() {
  RH_ASSIGN(SocketPair control, create_seqpacket_pair());
  RH_ASSIGN(const std::vector<UniqueFd> procs, order_.cgroup.open_v1_procs());
  KeeperLink& keeper = order_.launcher->keeper();
  LaunchOrder launch;
  launch.record = {proto::KeptKind::kControl, 0, keeper.next_start(), 0};
  RH_ASSIGN(Kept kept, Kept::keep(keeper, launch.record, control.ours.get()));
  launch.program = order_.program;
  launch.arguments = {"rowhouse-control"};
  launch.environment = {"LANG=C.UTF-8"};
  launch.user = order_.user;
  launch.control = control.theirs.get();
  launch.cgroup_v2 = order_.cgroup.v2_directory();
  for (const UniqueFd& fd : procs) launch.cgroup_v1_procs.push_back(fd.get());
  RH_ASSIGN(LaunchedProcess launched, order_.launcher->launch(launch));
  install(std::move(launched), std::move(kept), std::move(control.ours));
  send(proto::UsageDirectory{}, {order_.usage.get()});
  send(proto::ControlSetup{}, {order_.listener.get(), order_.logs.get()});
  listener_.on_control_started();
  deaths_.repeat();
  return {};
}

void ControlLink::install(LaunchedProcess launched, Kept kept, UniqueFd control) {
  process_ = std::make_unique<Process>();
  process_->launched = std::move(launched);
  process_->kept = std::move(kept);
  process_->link = std::make_unique<PeerLink>(
      order_.loop, std::move(control), proto::Peer::kControl,
      PeerLink::Events{[this](proto::IncomingMessage& message) { on_message(message); },
                       [this](const char* reason) { on_closed(reason); }});
  unanswered_ = 0;
  ping_.repeat(kPingPeriod);
}

// One that has not said it is ready may have been told half of what it must know.
void ControlLink::adopt(Estate& estate) {
  oom_kills_ = order_.cgroup.counters().oom_kills;
  std::vector<proto::KeptRecord> records;
  for (const auto& [record, child] : estate.children) {
    if (record.kind == proto::KeptKind::kControl) records.push_back(record);
  }
  for (const proto::KeptRecord& record : records) {
    std::optional<LeftChild> child = estate.take_child(record);
    UniqueFd control = estate.take(record);
    if (process_ != nullptr || !control.valid()) {
      signal_process(child->pidfd, SIGKILL);
      continue;
    }
    install({child->child, child->pid, std::move(child->pidfd)},
            Kept::take_over(order_.launcher->keeper(), record), std::move(control));
    process_->link->set_running();
    send(proto::Resync{KeeperLink::resync_nonce()});
    listener_.on_control_started();
  }
  if (process_ == nullptr) start();
}

bool ControlLink::take_tenant_message(proto::IncomingMessage& message) {
  // Decodes and hands over; whatever cannot be right ends control.
  const auto take = [&]<typename M>(auto&& use) {
    const auto decoded = proto::decode_message<M>(message);
    if (decoded.ok()) {
      use(decoded.value());
    } else {
      on_closed("sent a malformed message");
    }
    return true;
  };
  using proto::MessageType;
  switch (static_cast<int>(message.type)) {
    case static_cast<int>(MessageType::kTenantDraft):
      return take.operator()<proto::TenantDraft>([this](const auto& draft) { drafts_.begin(draft); });
    case static_cast<int>(MessageType::kTenantDraftDomain):
      return take.operator()<proto::TenantDraftDomain>([this](const auto& domain) { drafts_.add(domain); });
    case static_cast<int>(MessageType::kTenantWrite):
      return take.operator()<proto::TenantWrite>([this](const auto& write) {
        auto order = drafts_.finish(write);
        // Its beginning went to a supervisor that has died: the draft comes again after Resync.
        if (order) listener_.on_tenant_order(std::move(*order));
      });
    case static_cast<int>(MessageType::kTenantRemoval):
      return take.operator()<proto::TenantRemoval>([this](const auto& m) { listener_.on_tenant_removal(m); });
    case static_cast<int>(MessageType::kTenantQuery):
      return take.operator()<proto::TenantQuery>([this](const auto& m) { listener_.on_tenant_query(m); });
    case static_cast<int>(MessageType::kManifestOrder):
      return take.operator()<proto::ManifestOrder>([&](const auto& m) {
        if (!is_quick_to_close(message.descriptors[0].get())) return on_closed("sent a descriptor that is no memory");
        listener_.on_manifest_order(m, std::move(message.descriptors[0]));
      });
    default: return false;
  }
}

void ControlLink::on_message(proto::IncomingMessage& message) {
  if (take_tenant_message(message)) return;
  switch (static_cast<int>(message.type)) {
    case static_cast<int>(proto::MessageType::kControlReady):
      process_->link->set_running();
      unanswered_ = 0;
      return backoff_.on_healthy(order_.clock->now());
    case static_cast<int>(proto::MessageType::kPong): unanswered_ = 0; return;
    case static_cast<int>(proto::MessageType::kQuery): {
      const auto query = proto::decode_message<proto::Query>(message);
      if (!query.ok()) return on_closed("sent a malformed message");
      return listener_.on_query(query.value());
    }
    case static_cast<int>(proto::MessageType::kCommand): {
      const auto command = proto::decode_message<proto::Command>(message);
      if (!command.ok()) return on_closed("sent a malformed message");
      return listener_.on_command(command.value());
    }
    case static_cast<int>(proto::MessageType::kReloadOrder): {
      const auto order = proto::decode_message<proto::ReloadOrder>(message);
      if (!order.ok()) return on_closed("sent a malformed message");
      return listener_.on_reload_order(order.value());
    }
    case static_cast<int>(proto::MessageType::kReloadTenantOrder): {
      const auto order = proto::decode_message<proto::ReloadTenantOrder>(message);
      if (!order.ok()) return on_closed("sent a malformed message");
      return listener_.on_reload_tenant_order(order.value());
    }
    case static_cast<int>(proto::MessageType::kDeathStored): {
      const auto stored = proto::decode_message<proto::DeathStored>(message);
      if (!stored.ok()) return on_closed("sent a malformed message");
      return deaths_.on_stored(stored.value());
    }
    case static_cast<int>(proto::MessageType::kUpgradeOrder): {
      const auto order = proto::decode_message<proto::UpgradeOrder>(message);
      if (!order.ok()) return on_closed("sent a malformed message");
      return listener_.on_upgrade_order(order.value());
    }
    default: return;
  }
}

void ControlLink::on_closed(const char* reason) {
  if (process_ == nullptr || closing_) return;
  if (!replacing_) log_warning("control lost", {{"reason", reason}});
  signal_process(process_->launched.pidfd, SIGKILL);
}

void ControlLink::ping() {
  ++unanswered_;
  if (is_stuck()) {
    log_error("control does not answer", {{"seconds", unanswered_ - 1}});
    kill();
  } else if (process_->link->running()) {
    send(proto::Ping{++nonce_});
  }
}

bool ControlLink::is_stuck() const {
  return unanswered_ > (process_->link->running() ? kMaxUnansweredPings : kMaxPeriodsUntilReady);
}

void ControlLink::replace() {
  if (process_ == nullptr || closing_) return;
  replacing_ = true;
  send(proto::ControlRetire{kDrainMs});
  retired_.start(kRetirePatience);
}

void ControlLink::close() {
  closing_ = true;
  restart_.stop();
  ping_.stop();
  retired_.stop();
  if (process_ != nullptr && process_->link != nullptr) process_->link->end();
}

void ControlLink::kill() {
  if (process_ != nullptr) signal_process(process_->launched.pidfd, SIGKILL);
}

bool ControlLink::on_child_exit(std::uint64_t child, int code, int status) {
  if (process_ == nullptr || process_->launched.child != child) return false;
  const auto pid = static_cast<std::uint32_t>(process_->launched.pid);
  const bool stuck = is_stuck();
  ping_.stop();
  retired_.stop();
  order_.graveyard->bury(std::move(process_));
  process_ = nullptr;
  if (closing_) return true;
  const std::uint64_t oom_kills = order_.cgroup.counters().oom_kills;
  proto::Ending ending = classify_host_ending(code, status, oom_kills - std::exchange(oom_kills_, oom_kills));
  if (stuck) ending = {proto::Cause::kUnresponsive, 0};
  if (std::exchange(replacing_, false)) {
    start();
    return true;
  }
  record(proto::HostDeath{proto::HostProcess::kControl, 0, pid, ending.cause, ending.argument,
                          order_.clock->wall_ms()});
  static std::random_device random;
  const Duration delay = backoff_.on_death(order_.clock->now(), random());
  log_error("control died", {{"code", code}, {"status", status}, {"restart_in_ms", delay.count() / 1000}});
  restart_.start(std::chrono::duration_cast<milliseconds>(delay));
  return true;
}

}  // namespace rowhouse::supervisor
