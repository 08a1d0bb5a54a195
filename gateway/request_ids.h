// Random request ids: 16 hex digits.  The kernel's random bytes are fetched for many requests at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/request.h"

namespace rowhouse::gateway {

class RequestIds {
 public:
  [[nodiscard]] std::array<char, kRequestIdBytes> next();

 private:
  static constexpr std::size_t kBatch = 64;
  std::array<std::uint64_t, kBatch> numbers_{};
  std::size_t used_ = kBatch;
};

}  // namespace rowhouse::gateway
