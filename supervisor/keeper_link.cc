#include "supervisor/keeper_link.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "proto/common_messages.h"

namespace rowhouse::supervisor {
namespace {

using proto::KeptKind;
using proto::MessageType;

// The keeper answers at once or is gone; both show within this time.
constexpr int kPatienceMs = 5'000;

}  // namespace

UniqueFd Estate::take(const proto::KeptRecord& record) {
  const auto found = descriptors.find(record);
  if (found == descriptors.end()) return {};
  UniqueFd descriptor = std::move(found->second);
  descriptors.erase(found);
  return descriptor;
}

std::optional<LeftChild> Estate::take_child(const proto::KeptRecord& record) {
  const auto found = children.find(record);
  if (found == children.end()) return std::nullopt;
  std::optional<LeftChild> child = std::move(found->second);
  children.erase(found);
  return child;
}

Status KeeperLink::send(ByteSpan bytes, std::span<const int> descriptors) {
  for (;;) {
    const Status sent = send_message(socket_, bytes, descriptors);
    if (sent.ok() || sent.error().code != ErrorCode::kWouldBlock) return sent;
    pollfd room{socket_, POLLOUT, 0};
    if (::poll(&room, 1, kPatienceMs) == 0) return make_error(ErrorCode::kWouldBlock, "keeper does not read");
  }
}

Status KeeperLink::announce(std::uint64_t child, pid_t pid, const proto::KeptRecord& record, int pidfd) {
  std::array<std::uint8_t, proto::wire_size<proto::Child>()> room;
  const proto::Child message{child, static_cast<std::uint32_t>(pid), record};
  return send(proto::encode_message(message, room), {&pidfd, 1});
}

Status KeeperLink::keep(const proto::KeptRecord& record, int descriptor) {
  std::array<std::uint8_t, proto::wire_size<proto::Keep>()> room;
  return send(proto::encode_message(proto::Keep{record}, room), {&descriptor, 1});
}

Result<Estate> KeeperLink::fetch() {
  Estate estate;
  tell(proto::Fetch{});
  for (;;) {
    RH_ASSIGN(proto::IncomingMessage message, proto::wait_for_control(socket_, kPatienceMs));
    if (message.type != MessageType::kFetched) {
      RH_TRY(take(message, estate));
      continue;
    }
    RH_ASSIGN(const proto::Fetched fetched, proto::decode_message<proto::Fetched>(message));
    const std::size_t children = estate.children.size() + estate.loaders.size();
    if (fetched.descriptors != estate.descriptors.size() || fetched.children != children) {
      return make_error(ErrorCode::kInvalid, "the keeper's store");
    }
    estate.serving = fetched.serving;
    return estate;
  }
}

Status KeeperLink::take(proto::IncomingMessage& message, Estate& estate) {
  switch (static_cast<int>(message.type)) {
    case static_cast<int>(MessageType::kKeep): {
      RH_ASSIGN(const proto::Keep keep, proto::decode_message<proto::Keep>(message));
      note_numbers(keep.record);
      estate.descriptors.emplace(keep.record, std::move(message.descriptors.front()));
      return {};
    }
    case static_cast<int>(MessageType::kChild): return take_child(message, estate);
    case static_cast<int>(MessageType::kPing): {
      RH_ASSIGN(const proto::Ping ping, proto::decode_message<proto::Ping>(message));
      tell(proto::Pong{ping.nonce});
      return {};
    }
    default: estate.messages.push_back(std::move(message)); return {};
  }
}

Status KeeperLink::take_child(proto::IncomingMessage& message, Estate& estate) {
  RH_ASSIGN(const proto::Child child, proto::decode_message<proto::Child>(message));
  note_numbers(child.record);
  last_child_ = std::max(last_child_, child.child);
  LeftChild left{child.child, static_cast<pid_t>(child.pid), std::move(message.descriptors.front())};
  if (child.record.kind == KeptKind::kLoader) {
    estate.loaders.push_back(std::move(left));
  } else {
    estate.children.emplace(child.record, std::move(left));
  }
  return {};
}

void KeeperLink::note_numbers(const proto::KeptRecord& record) {
  const bool is_start = record.kind == KeptKind::kGateway || record.kind == KeptKind::kAccessRecords ||
                        record.kind == KeptKind::kControl || record.kind == KeptKind::kLoader;
  if (is_start) last_start_ = std::max(last_start_, record.generation);
}

Kept& Kept::operator=(Kept&& other) noexcept {
  if (this == &other) return *this;
  reset();
  link_ = std::exchange(other.link_, nullptr);
  record_ = other.record_;
  return *this;
}

Result<Kept> Kept::keep(KeeperLink& link, const proto::KeptRecord& record, int descriptor) {
  RH_TRY(link.keep(record, descriptor));
  return Kept(&link, record);
}

void Kept::reset() {
  if (KeeperLink* link = std::exchange(link_, nullptr)) link->discard(record_);
}

}  // namespace rowhouse::supervisor
