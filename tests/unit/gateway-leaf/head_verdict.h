// What the head rules say about an input, in one word, however the input arrives.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "gateway/head_rules.h"
#include "tests/fuzz/llhttp_twin.h"

namespace rowhouse::gateway {

// "400", or "ok", "ok length 5", "ok chunked"; "more" while the head is incomplete.
inline std::string describe_head(const std::variant<CheckedHead, HeadRefusal>& checked) {
  if (const auto* refusal = std::get_if<HeadRefusal>(&checked)) return std::to_string(refusal->status);
  const CheckedHead& head = std::get<CheckedHead>(checked);
  if (head.framing == BodyFraming::kChunked) return "ok chunked";
  if (head.framing == BodyFraming::kLength) return "ok length " + std::to_string(head.content_length);
  return "ok";
}

// A head that llhttp would read otherwise is no verdict at all.
inline std::string verdict_of_block(std::string_view block) {
  std::array<HeadField, proto::kMaxFields> room;
  const auto checked = check_head(block, room);
  const auto* head = std::get_if<CheckedHead>(&checked);
  const char* difference = head == nullptr ? nullptr : difference_to_llhttp(block, *head);
  return difference == nullptr ? describe_head(checked) : difference;
}

// The input arrives in pieces of `piece_bytes`.
inline std::string verdict(std::string_view input, std::size_t piece_bytes) {
  std::size_t arrived = 0;
  while (arrived < input.size()) {
    const std::size_t checked = arrived;
    arrived = std::min(arrived + piece_bytes, input.size());
    const auto found = find_head_end(input.substr(0, arrived), checked);
    if (const auto* refusal = std::get_if<HeadRefusal>(&found)) return std::to_string(refusal->status);
    const std::size_t size = std::get<std::size_t>(found);
    if (size != 0) return verdict_of_block(input.substr(0, size));
  }
  return "more";
}

}  // namespace rowhouse::gateway
