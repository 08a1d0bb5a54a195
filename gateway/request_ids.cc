#include "gateway/request_ids.h"

#include <sys/random.h>

#include <cstdlib>

namespace rowhouse::gateway {

std::array<char, kRequestIdBytes> RequestIds::next() {
  static constexpr char kDigits[] = "0123456789abcdef";
  if (used_ == kBatch) {
    // Reads of this size are never short and never wait once the machine has booted (getrandom(2)).
    if (::getrandom(numbers_.data(), sizeof numbers_, 0) != static_cast<ssize_t>(sizeof numbers_))
      std::abort();
    used_ = 0;
  }
  std::uint64_t number = numbers_[used_++];
  std::array<char, kRequestIdBytes> id{};
  for (char& digit : id) {
    digit = kDigits[number & 0xf];
    number >>= 4;
  }
  return id;
}

}  // namespace rowhouse::gateway
