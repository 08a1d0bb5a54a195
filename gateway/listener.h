// One listening socket that the supervisor bound and shares among all gateways.  A few connections are
// accepted at a time, so that the other gateways get theirs.
#pragma once

#include <functional>
#include <memory>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "gateway/request.h"

namespace rowhouse::gateway {

// What a connection begins with.
enum class Preface : std::uint8_t { kNone, kProxyHeader };

// A listener as the supervisor names it.
struct ListenerIdentity {
  std::uint32_t number = 0;
  Preface preface = Preface::kNone;
};

class ClientListener {
 public:
  virtual ~ClientListener() = default;
  virtual void on_client(UniqueFd socket, ClientAddress address, Preface preface) = 0;
};

class Listener {
 public:
  Listener(uv_loop_t* loop, UniqueFd socket, const ListenerIdentity& identity, ClientListener& clients);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] const ListenerIdentity& identity() const { return identity_; }
  // Accepts everybody who waits, before it goes.
  void take_the_rest();

 private:
  void on_ready();
  // False when nobody waits.
  bool accept_one();
  void turn_away();

  ClientListener& clients_;
  UniqueFd socket_;
  const ListenerIdentity identity_;
  const std::uint16_t port_;
  UniqueFd reserve_;  // given up for a moment when descriptors have run out, to tell a client so
  Poll poll_;
};

// Answers 503 without reading and closes: there is no room for this client.
void turn_client_away(UniqueFd socket);

}  // namespace rowhouse::gateway
