#include "worker/lifeline.h"

#include <fcntl.h>

#include "worker/say.h"

namespace rowhouse::worker {

Lifeline::Lifeline(UniqueFd socket) : socket_(std::move(socket)) {
  renew();
}

void Lifeline::renew() {
  ::fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
  const Status status = set_nonblocking(socket_.get());
  if (!status.ok()) say("the lifeline: " + describe(status.error()));
}

void Lifeline::send(proto::LifelineType type, std::uint32_t number) {
  const Status status = proto::send_lifeline(socket_.get(), {type, number});
  if (!status.ok()) say("the lifeline: " + describe(status.error()));
}

void Lifeline::send_ready(unsigned major, unsigned minor, Serving serving) {
  const std::uint32_t interface = serving == Serving::kEventLoop ? proto::kReadyAsgi : 0;
  send(proto::LifelineType::kReady, interface | major << 8 | minor);
}

void Lifeline::send_failed(proto::StartStep step) {
  send(proto::LifelineType::kFailed, static_cast<std::uint32_t>(step));
}

void Lifeline::send_drained() {
  send(proto::LifelineType::kDrained, 0);
}

Result<std::optional<Lifeline::Order>> Lifeline::receive() {
  proto::LifelineBytes bytes;
  RH_ASSIGN(ReceivedMessage message, receive_message(socket_.get(), bytes));
  const auto record = proto::decode_lifeline(ByteSpan(bytes).first(message.size));
  if (!record.ok()) return std::optional<Order>();
  Order order;
  order.type = record.value().type;
  if (order.type == proto::LifelineType::kDrain && message.descriptors.empty()) {
    return std::optional<Order>(std::move(order));
  }
  if (order.type == proto::LifelineType::kChannel && message.descriptors.size() == 1) {
    order.channel = std::move(message.descriptors.front());
    return std::optional<Order>(std::move(order));
  }
  return std::optional<Order>();
}

Result<std::optional<Lifeline::TemplateOrder>> Lifeline::receive_template_order() {
  proto::LifelineBytes bytes;
  RH_ASSIGN(ReceivedMessage message, receive_message(socket_.get(), bytes));
  const auto record = proto::decode_lifeline(ByteSpan(bytes).first(message.size));
  if (!record.ok()) return std::optional<TemplateOrder>();
  TemplateOrder order;
  order.type = record.value().type;
  if (order.type == proto::LifelineType::kDrain && message.descriptors.empty()) {
    return std::optional<TemplateOrder>(std::move(order));
  }
  if (order.type == proto::LifelineType::kFork && message.descriptors.size() == 2) {
    order.lifeline = std::move(message.descriptors[0]);
    order.log = std::move(message.descriptors[1]);
    return std::optional<TemplateOrder>(std::move(order));
  }
  return std::optional<TemplateOrder>();
}

}  // namespace rowhouse::worker
