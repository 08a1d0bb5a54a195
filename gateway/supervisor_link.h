// The control socket to the supervisor: decodes what comes and queues what goes.  The supervisor never waits
// for a gateway, and a gateway never waits for the supervisor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "gateway/spare_descriptors.h"
#include "gateway/turn.h"
#include "proto/common_messages.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

// What the supervisor says.  An error that a handler returns ends the gateway: the supervisor is our own
// program, and what it says cannot be wrong.
class SupervisorListener {
 public:
  virtual ~SupervisorListener() = default;
  virtual Status on_message(const proto::GatewaySetup& message, UniqueFd access_log,
                            UniqueFd shared_table) = 0;
  virtual Status on_message(const proto::GatewayOptions& message) = 0;
  virtual Status on_message(const proto::AcmeDirectory& message, UniqueFd root) = 0;
  virtual Status on_message(const proto::SpoolDirectory& message, UniqueFd directory) = 0;
  virtual Status on_message(const proto::TrustedProxy& message) = 0;
  virtual Status on_message(const proto::Listener& message, UniqueFd socket) = 0;
  virtual Status on_message(const proto::ListenerGone& message) = 0;
  virtual Status on_message(const proto::AppBegin& message) = 0;
  virtual Status on_message(const proto::AppRoute& message) = 0;
  virtual Status on_message(const proto::AppStatic& message, UniqueFd root) = 0;
  virtual Status on_message(const proto::AppPart& message, UniqueFd part) = 0;
  virtual Status on_message(const proto::AppRetry& message) = 0;
  virtual Status on_message(const proto::AppCommit& message) = 0;
  virtual Status on_message(const proto::AppRemove& message) = 0;
  virtual Status on_message(const proto::AppConditionChange& message) = 0;
  virtual Status on_message(const proto::WorkerAdd& message, UniqueFd channel) = 0;
  virtual Status on_message(const proto::WorkerGone& message) = 0;
  virtual Status on_message(const proto::Switch& message) = 0;
  virtual Status on_message(const proto::Probe& message) = 0;
  virtual Status on_message(const proto::WorkerLeaving& message) = 0;
  virtual Status on_message(const proto::Retire& message) = 0;
  virtual Status on_message(const proto::Resync& message) = 0;
  // The socket has ended (kClosed), or a message was wrong.
  virtual void on_supervisor_lost(const Error& error) = 0;
};

class SupervisorLink {
 public:
  // `socket` is made non-blocking.
  SupervisorLink(Turn& turn, UniqueFd socket, SupervisorListener& listener);
  SupervisorLink(const SupervisorLink&) = delete;
  SupervisorLink& operator=(const SupervisorLink&) = delete;

  template <proto::ControlMessage M>
  void send(const M& message) {
    static_assert(M::kDescriptors == 0);
    std::array<std::uint8_t, proto::wire_size<M>()> room;
    send_bytes(proto::encode_message(message, room));
  }

 private:
  void on_ready(int events);
  Status receive();
  Status dispatch(proto::IncomingMessage& incoming);
  template <proto::ControlMessage M>
  Status deliver(proto::IncomingMessage& incoming);
  void send_bytes(ByteSpan bytes);
  void send_queued();
  void lose(const Error& error);

  Turn& turn_;
  SupervisorListener& listener_;
  UniqueFd socket_;
  SpareDescriptors spares_;
  std::deque<std::vector<std::uint8_t>> unsent_;
  bool lost_ = false;
  Poll poll_;
};

}  // namespace rowhouse::gateway
