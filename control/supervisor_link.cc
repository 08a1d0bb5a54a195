#include "control/supervisor_link.h"

#include <fcntl.h>

#include <array>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/message_socket.h"
#include "proto/common_messages.h"

namespace rowhouse::control {
namespace {

// Decodes the message and calls `take` with it and, where it has one, its descriptor.
template <typename M, typename Take>
Status deliver(proto::IncomingMessage& incoming, Take take) {
  const auto message = proto::decode_message<M>(incoming);
  if (!message.ok()) return message.error();
  if constexpr (M::kDescriptors == 0) {
    take(message.value());
  } else {
    take(message.value(), std::move(incoming.descriptors[0]));
  }
  return {};
}

}  // namespace

SupervisorLink::SupervisorLink(uv_loop_t* loop, UniqueFd socket, SupervisorListener& listener)
    : socket_(std::move(socket)),
      listener_(listener),
      poll_(loop, socket_.get(), [this](int events) { on_ready(events); }) {
  watch();
}

template <typename M>
void SupervisorLink::send(const M& message, int descriptor) {
  std::array<std::uint8_t, proto::wire_size<M>()> room;
  const ByteSpan bytes = proto::encode_message(message, room);
  UniqueFd copy(descriptor < 0 ? -1 : ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  outbox_.push_back({{bytes.begin(), bytes.end()}, std::move(copy)});
  flush();
}

void SupervisorLink::send_ready() {
  phase_ = Phase::kRunning;
  send(proto::ControlReady{});
}
void SupervisorLink::send_query(const proto::Query& query) {
  send(query);
}
void SupervisorLink::send_command(const proto::Command& command) {
  send(command);
}

void SupervisorLink::send_reload(const proto::ReloadOrder& order) {
  send(order);
}

void SupervisorLink::send_reload_tenant(const proto::ReloadTenantOrder& order) {
  send(order);
}

void SupervisorLink::send_stored(const proto::DeathStored& stored) {
  send(stored);
}

void SupervisorLink::send_upgrade(const proto::UpgradeOrder& order) {
  send(order);
}

void SupervisorLink::send_draft(const TenantDraftText& draft) {
  send(draft.draft);
  for (const proto::TenantDraftDomain& domain : draft.domains) send(domain);
  send(proto::TenantWrite{draft.draft.request, static_cast<std::uint32_t>(draft.domains.size())});
}

void SupervisorLink::send_removal(const proto::TenantRemoval& removal) {
  send(removal);
}

void SupervisorLink::send_tenant_query(const proto::TenantQuery& query) {
  send(query);
}

void SupervisorLink::send_manifest(const proto::ManifestOrder& order, int text) {
  send(order, text);
}

void SupervisorLink::on_ready(int events) {
  if ((events & UV_WRITABLE) != 0) flush();
  if ((events & UV_READABLE) != 0) read_messages();
}

void SupervisorLink::read_messages() {
  for (int count = 0; count < kMaxTurnMessages; ++count) {
    auto message = proto::receive_control(socket_.get());
    if (!message.ok() && message.error().code == ErrorCode::kWouldBlock) return;
    if (!message.ok() && message.error().code == ErrorCode::kTooLarge) {
      // Out of descriptors: this one message is lost, the next may fit.
      log_error("control_message_lost", {{"error", message.error()}});
      continue;
    }
    if (!message.ok() && message.error().code == ErrorCode::kClosed) {
      poll_.stop();
      listener_.on_supervisor_gone("end of file");
      return;
    }
    const Status taken = message.ok() ? dispatch(message.value()) : Status(message.error());
    if (taken.ok()) continue;
    log_error("control_message_refused", {{"error", taken.error()}});
    poll_.stop();
    listener_.on_supervisor_gone("a message that cannot be");
    return;
  }
}

Status SupervisorLink::dispatch(proto::IncomingMessage& message) {
  if (!proto::is_permitted(proto::Peer::kSupervisor, proto::Phase::kRunning, message.type)) {
    return make_error(ErrorCode::kInvalid, "message that no supervisor sends");
  }
  if (message.type == proto::MessageType::kControlAdmin) {
    return deliver<proto::ControlAdmin>(message, [this](const auto& admin) { listener_.on_admin(admin); });
  }
  if (phase_ == Phase::kRunning) return dispatch_running(message);
  if (message.type == proto::MessageType::kUsageDirectory) {
    return deliver<proto::UsageDirectory>(
        message, [this](const auto&, UniqueFd fd) { listener_.on_usage_directory(std::move(fd)); });
  }
  const auto setup = proto::decode_message<proto::ControlSetup>(message);
  if (!setup.ok()) return make_error(ErrorCode::kInvalid, "message before the setup");
  listener_.on_setup(std::move(message.descriptors[0]), std::move(message.descriptors[1]));
  return {};
}

Status SupervisorLink::dispatch_running(proto::IncomingMessage& message) {
  using proto::MessageType;
  SupervisorListener& to = listener_;
  if (message.type == MessageType::kTenantInfo) {
    return deliver<proto::TenantInfo>(message, [&](const auto& m) { to.on_tenant(m); });
  }
  if (message.type == MessageType::kTenantSuspension) {
    return deliver<proto::TenantSuspension>(message, [&](const auto& m) { to.on_tenant_suspension(m); });
  }
  if (message.type == MessageType::kTenantProblem) {
    return deliver<proto::TenantProblem>(
        message, [&](const auto& m, UniqueFd fd) { to.on_tenant_problem(m, std::move(fd)); });
  }
  if (message.type == MessageType::kLogSource) {
    return deliver<proto::LogSource>(message,
                                     [&](const auto& m, UniqueFd fd) { to.on_log_source(m, std::move(fd)); });
  }
  if (message.type == MessageType::kAccessSource) {
    return deliver<proto::AccessSource>(
        message, [&](const auto& m, UniqueFd fd) { to.on_access_source(m, std::move(fd)); });
  }
  if (message.type == MessageType::kDeath) {
    return deliver<proto::Death>(message, [&](const auto& m) { to.on_death(m); });
  }
  if (message.type == MessageType::kHostDeath) {
    return deliver<proto::HostDeath>(message, [&](const auto& m) { to.on_host_death(m); });
  }
  if (message.type == MessageType::kAppNotice) {
    return deliver<proto::AppNotice>(message, [&](const auto& m) { to.on_notice(m); });
  }
  if (message.type == MessageType::kPing) {
    return deliver<proto::Ping>(message, [&](const auto& m) { send(proto::Pong{m.nonce}); });
  }
  if (message.type == MessageType::kResync) {
    return deliver<proto::Resync>(message, [&](const auto& m) {
      to.on_resync();
      send(proto::Resynced{m.nonce});
    });
  }
  if (message.type == MessageType::kControlRetire) {
    return deliver<proto::ControlRetire>(message, [&](const auto& m) { to.on_retire(m); });
  }
  return dispatch_answer(message);
}

Status SupervisorLink::dispatch_answer(proto::IncomingMessage& message) {
  using proto::MessageType;
  SupervisorListener& to = listener_;
  if (message.type == MessageType::kAppInfo) {
    return deliver<proto::AppInfo>(message, [&](const auto& m) { to.on_app_info(m); });
  }
  if (message.type == MessageType::kWorkerInfo) {
    return deliver<proto::WorkerInfo>(message, [&](const auto& m) { to.on_worker_info(m); });
  }
  if (message.type == MessageType::kQueryEnd) {
    return deliver<proto::QueryEnd>(message, [&](const auto& m) { to.on_query_end(m); });
  }
  if (message.type == MessageType::kCommandDone) {
    return deliver<proto::CommandDone>(message, [&](const auto& m) { to.on_command_done(m); });
  }
  if (message.type == MessageType::kAppUsage) {
    return deliver<proto::AppUsage>(message, [&](const auto& m) { to.on_app_usage(m); });
  }
  if (message.type == MessageType::kAppTraffic) {
    return deliver<proto::AppTraffic>(message, [&](const auto& m) { to.on_app_traffic(m); });
  }
  if (message.type == MessageType::kTenantUsage) {
    return deliver<proto::TenantUsage>(message, [&](const auto& m) { to.on_tenant_usage(m); });
  }
  if (message.type == MessageType::kReloadChange) {
    return deliver<proto::ReloadChange>(message, [&](const auto& m) { to.on_reload_change(m); });
  }
  if (message.type == MessageType::kTenantChange) {
    return deliver<proto::TenantChange>(message, [&](const auto& m) { to.on_tenant_change(m); });
  }
  if (message.type == MessageType::kReloadDone) {
    return deliver<proto::ReloadDone>(
        message, [&](const auto& m, UniqueFd fd) { to.on_reload_done(m, std::move(fd)); });
  }
  if (message.type == MessageType::kUpgradeDone) {
    return deliver<proto::UpgradeDone>(message, [&](const auto& m) { to.on_upgrade_done(m); });
  }
  return dispatch_tenant_answer(message);
}

Status SupervisorLink::dispatch_tenant_answer(proto::IncomingMessage& message) {
  using proto::MessageType;
  SupervisorListener& to = listener_;
  if (message.type == MessageType::kTenantWritten) {
    return deliver<proto::TenantWritten>(
        message, [&](const auto& m, UniqueFd fd) { to.on_tenant_written(m, std::move(fd)); });
  }
  if (message.type == MessageType::kTenantDetail) {
    return deliver<proto::TenantDetail>(message, [&](const auto& m) { to.on_tenant_detail(m); });
  }
  if (message.type == MessageType::kTenantDetailDomain) {
    return deliver<proto::TenantDetailDomain>(message, [&](const auto& m) { to.on_tenant_domain(m); });
  }
  if (message.type == MessageType::kTenantQueryEnd) {
    return deliver<proto::TenantQueryEnd>(message, [&](const auto& m) { to.on_tenant_query_end(m); });
  }
  return make_error(ErrorCode::kInvalid, "message that is not for control");
}

void SupervisorLink::flush() {
  while (!outbox_.empty()) {
    const int descriptor = outbox_.front().descriptor.get();
    const std::span<const int> descriptors(&descriptor, descriptor < 0 ? 0 : 1);
    const Status sent = send_message(socket_.get(), outbox_.front().bytes, descriptors);
    // A broken socket shows itself to the next read.
    if (!sent.ok()) break;
    outbox_.pop_front();
  }
  watch();
}

void SupervisorLink::watch() {
  poll_.watch(outbox_.empty() ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

}  // namespace rowhouse::control
