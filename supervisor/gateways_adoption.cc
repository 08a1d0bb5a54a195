// Gateways that an earlier supervisor has started: taken over, asked what they have, brought up to date.
#include <csignal>

#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/gateways.h"

namespace rowhouse::supervisor {
namespace {

using proto::KeptKind;
using proto::MessageType;

// Every app and worker that a host can have, told to three supervisors in a row.
constexpr std::size_t kMaxSaid = 3 * (proto::kMaxApps + proto::kMaxWorkers + 1);

}  // namespace

void Gateways::adopt(Estate& estate) {
  oom_kills_ = order_.cgroup.counters().oom_kills;
  std::vector<proto::KeptRecord> records;
  for (const auto& [record, child] : estate.children) {
    if (record.kind == KeptKind::kGateway) records.push_back(record);
  }
  for (const proto::KeptRecord& record : records) {
    std::optional<LeftChild> child = estate.take_child(record);
    UniqueFd control = estate.take(record);
    UniqueFd access = estate.take({KeptKind::kAccessRecords, 0, record.generation, record.worker});
    const bool whole = record.worker < running_.size() && running_[record.worker] == nullptr && control.valid() &&
                       access.valid();
    if (!whole) {
      // Half made: nobody knows what it was told.
      signal_process(child->pidfd, SIGKILL);
      continue;
    }
    const std::uint32_t index = record.worker;
    KeeperLink& keeper = order_.launcher->keeper();
    install(index, {child->child, child->pid, std::move(child->pidfd)}, Kept::take_over(keeper, record),
            std::move(control));
    access_sockets_[index] = std::move(access);
    kept_access_[index] = Kept::take_over(keeper, {KeptKind::kAccessRecords, 0, record.generation, index});
    running_[index]->link().set_running();
    resyncing_[index];
    running_[index]->link().send(proto::Resync{KeeperLink::resync_nonce()});
  }
  // Of more than there should be, the oldest were leaving.
  std::map<std::uint32_t, std::uint32_t> by_start;
  for (const auto& gateway : running_) {
    if (gateway != nullptr) by_start[gateway->start_number()] = gateway->index();
  }
  for (auto oldest = by_start.begin(); count_active() > order_.count; ++oldest) send_home(oldest->second);
  for (std::size_t active = count_active(); active < order_.count; ++active) {
    if (const auto column = find_free_column()) start_one(*column);
  }
  ping_.repeat(kPingPeriod);
}

void Gateways::on_said(std::uint32_t index, proto::IncomingMessage& message) {
  const auto entry = resyncing_.find(index);
  if (entry == resyncing_.end()) return;
  GatewaySaid& said = entry->second;
  if (++said.messages > kMaxSaid) return on_closed(index, "says more than there can be");
  if (message.type == MessageType::kGatewayApp) {
    const auto app = proto::decode_message<proto::GatewayApp>(message);
    if (!app.ok()) return on_closed(index, "sent a malformed message");
    said.apps[app.value().app];
    return;
  }
  if (message.type == MessageType::kGatewayWorker) {
    const auto worker = proto::decode_message<proto::GatewayWorker>(message);
    if (!worker.ok()) return on_closed(index, "sent a malformed message");
    said.apps[worker.value().app].insert({worker.value().generation, worker.value().worker});
    return;
  }
  const auto resynced = proto::decode_message<proto::Resynced>(message);
  if (!resynced.ok()) return on_closed(index, "sent a malformed message");
  // The answer to a supervisor that has died since.
  if (resynced.value().nonce != KeeperLink::resync_nonce()) return said.apps.clear();
  tell_doors(*running_[index]);
  for (const std::uint32_t number : order_.doors_gone) running_[index]->link().send(proto::ListenerGone{number});
  listener_.on_gateway_resynced(*running_[index], said);
  settle(index);
}

void Gateways::settle(std::uint32_t index) {
  if (resyncing_.erase(index) > 0 && resyncing_.empty()) listener_.on_gateways_settled();
}

}  // namespace rowhouse::supervisor
