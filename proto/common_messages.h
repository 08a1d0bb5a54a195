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

}  // namespace rowhouse::proto
