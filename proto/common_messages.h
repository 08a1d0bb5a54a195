// Messages that every long-lived peer understands.
#pragma once

#include "proto/message.h"

namespace rowhouse::proto {

struct Ping {
  static constexpr MessageType kType = MessageType::kPing;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t nonce = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.nonce); }
};

// Answers Ping with its nonce.
struct Pong {
  static constexpr MessageType kType = MessageType::kPong;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t nonce = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.nonce); }
};

// supervisor -> steward, gateway, control: I have taken over your socket.  Say what you have and repeat what I
// have not answered, then Resynced.
struct Resync {
  static constexpr MessageType kType = MessageType::kResync;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t nonce = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.nonce); }
};

// The peer has said everything.  One with another nonce ends an answer to a supervisor that has died since.
struct Resynced {
  static constexpr MessageType kType = MessageType::kResynced;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t nonce = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.nonce); }
};

}  // namespace rowhouse::proto
