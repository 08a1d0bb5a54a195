#include "worker/lifeline.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "worker/say.h"

namespace rowhouse::worker {

Lifeline::Lifeline(UniqueFd socket, Scope scope) : socket_(std::move(socket)), scope_(scope) {
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
  send_ready_of_share(major, minor, serving == Serving::kEventLoop ? 1 : 0);
}

void Lifeline::send_ready_of_share(unsigned major, unsigned minor, std::uint32_t event_loops) {
  send(proto::LifelineType::kReady, event_loops * proto::kReadyAsgi | major << 8 | minor);
}

void Lifeline::send_failed(proto::StartStep step) {
  send(proto::LifelineType::kFailed, static_cast<std::uint32_t>(step));
}

void Lifeline::send_drained() {
  send(proto::LifelineType::kDrained, 0);
}

void Lifeline::fail(proto::StartStep step) {
  send_failed(step);
  while (is_shared()) ::pause();
  std::fflush(nullptr);
  ::_exit(1);
}

void Lifeline::leave_behind() {
  send_drained();
  if (!is_shared()) ::_exit(0);
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
    order.app = record.value().number >> proto::kChannelAppShift;
    order.channel = std::move(message.descriptors.front());
    return std::optional<Order>(std::move(order));
  }
  return std::optional<Order>();
}

Result<std::optional<Lifeline::Log>> Lifeline::receive_log() {
  proto::LifelineBytes bytes;
  RH_ASSIGN(ReceivedMessage message, receive_message(socket_.get(), bytes));
  const auto record = proto::decode_lifeline(ByteSpan(bytes).first(message.size));
  const bool is_log = record.ok() && record.value().type == proto::LifelineType::kLog;
  if (!is_log || message.descriptors.size() != 1) return std::optional<Log>();
  return std::optional<Log>(Log{record.value().number, std::move(message.descriptors.front())});
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
