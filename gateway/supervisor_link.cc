#include "gateway/supervisor_link.h"

#include "base/message_socket.h"
#include "gateway/caps.h"
#include "proto/message_types.h"

namespace rowhouse::gateway {

using proto::MessageType;

namespace {

// The most that one message of the supervisor's brings.
constexpr std::size_t kDescriptorsOfAMessage = proto::GatewaySetup::kDescriptors;

}  // namespace

SupervisorLink::SupervisorLink(Turn& turn, UniqueFd socket, SupervisorListener& listener)
    : turn_(turn),
      listener_(listener),
      socket_(std::move(socket)),
      spares_(kSpareDescriptors),
      poll_(turn.loop(), socket_.get(), [this](int events) { on_ready(events); }) {
  poll_.watch(UV_READABLE);
}

void SupervisorLink::on_ready(int events) {
  turn_.refresh();
  if ((events & UV_WRITABLE) != 0) send_queued();
  if ((events & UV_READABLE) == 0 || lost_) return;
  const Status received = receive();
  if (!received.ok()) {
    lose(received.error());
  } else if ((events & UV_DISCONNECT) != 0) {
    lose(make_error(ErrorCode::kClosed, "control socket"));
  }
}

Status SupervisorLink::receive() {
  for (std::size_t i = 0; i < kMessagesPerEvent; ++i) {
    spares_.lend(kDescriptorsOfAMessage);
    Result<proto::IncomingMessage> incoming = proto::receive_control(socket_.get());
    spares_.refill();
    if (!incoming.ok()) {
      if (incoming.error().code == ErrorCode::kWouldBlock) return {};
      return incoming.error();
    }
    RH_TRY(dispatch(incoming.value()));
  }
  return {};
}

template <proto::ControlMessage M>
Status SupervisorLink::deliver(proto::IncomingMessage& incoming) {
  RH_ASSIGN(const M message, proto::decode_message<M>(incoming));
  if constexpr (M::kDescriptors == 0) {
    return listener_.on_message(message);
  } else if constexpr (M::kDescriptors == 1) {
    return listener_.on_message(message, std::move(incoming.descriptors[0]));
  } else {
    return listener_.on_message(message, std::move(incoming.descriptors[0]),
                                std::move(incoming.descriptors[1]));
  }
}

Status SupervisorLink::dispatch(proto::IncomingMessage& incoming) {
  if (!proto::is_permitted(proto::Peer::kSupervisor, proto::Phase::kRunning, incoming.type)) {
    return make_error(ErrorCode::kInvalid, "message that the supervisor may not send");
  }
  if (incoming.type == MessageType::kPing) {
    RH_ASSIGN(const proto::Ping ping, proto::decode_message<proto::Ping>(incoming));
    send(proto::Pong{ping.nonce});
    return {};
  }
  if (incoming.type == MessageType::kGatewaySetup) return deliver<proto::GatewaySetup>(incoming);
  if (incoming.type == MessageType::kGatewayOptions) return deliver<proto::GatewayOptions>(incoming);
  if (incoming.type == MessageType::kAcmeDirectory) return deliver<proto::AcmeDirectory>(incoming);
  if (incoming.type == MessageType::kSpoolDirectory) return deliver<proto::SpoolDirectory>(incoming);
  if (incoming.type == MessageType::kTrustedProxy) return deliver<proto::TrustedProxy>(incoming);
  if (incoming.type == MessageType::kListener) return deliver<proto::Listener>(incoming);
  if (incoming.type == MessageType::kListenerGone) return deliver<proto::ListenerGone>(incoming);
  if (incoming.type == MessageType::kAppBegin) return deliver<proto::AppBegin>(incoming);
  if (incoming.type == MessageType::kAppRoute) return deliver<proto::AppRoute>(incoming);
  if (incoming.type == MessageType::kAppStatic) return deliver<proto::AppStatic>(incoming);
  if (incoming.type == MessageType::kAppPart) return deliver<proto::AppPart>(incoming);
  if (incoming.type == MessageType::kAppRetry) return deliver<proto::AppRetry>(incoming);
  if (incoming.type == MessageType::kAppCommit) return deliver<proto::AppCommit>(incoming);
  if (incoming.type == MessageType::kAppRemove) return deliver<proto::AppRemove>(incoming);
  if (incoming.type == MessageType::kAppCondition) return deliver<proto::AppConditionChange>(incoming);
  if (incoming.type == MessageType::kWorkerAdd) return deliver<proto::WorkerAdd>(incoming);
  if (incoming.type == MessageType::kWorkerGone) return deliver<proto::WorkerGone>(incoming);
  if (incoming.type == MessageType::kSwitch) return deliver<proto::Switch>(incoming);
  if (incoming.type == MessageType::kProbe) return deliver<proto::Probe>(incoming);
  if (incoming.type == MessageType::kWorkerLeaving) return deliver<proto::WorkerLeaving>(incoming);
  if (incoming.type == MessageType::kRetire) return deliver<proto::Retire>(incoming);
  if (incoming.type == MessageType::kResync) return deliver<proto::Resync>(incoming);
  return make_error(ErrorCode::kInvalid, "message that is not for a gateway");
}

void SupervisorLink::send_bytes(ByteSpan bytes) {
  if (lost_) return;
  if (unsent_.size() == kMaxUnsentMessages) {
    lose(make_error(ErrorCode::kTooLarge, "messages that the supervisor does not read"));
    return;
  }
  unsent_.emplace_back(bytes.begin(), bytes.end());
  if (unsent_.size() == 1) send_queued();
}

void SupervisorLink::send_queued() {
  while (!unsent_.empty()) {
    const Status sent = send_message(socket_.get(), unsent_.front());
    if (!sent.ok() && sent.error().code == ErrorCode::kWouldBlock) break;
    if (!sent.ok()) {
      lose(sent.error());
      return;
    }
    unsent_.pop_front();
  }
  poll_.watch(unsent_.empty() ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

void SupervisorLink::lose(const Error& error) {
  if (lost_) return;
  lost_ = true;
  poll_.stop();
  listener_.on_supervisor_lost(error);
}

}  // namespace rowhouse::gateway
