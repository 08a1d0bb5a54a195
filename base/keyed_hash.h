// SipHash-1-3 of texts under a random key of the process (Aumasson and Bernstein, 2012): for hash tables
// whose keys strangers choose, so that nobody can prepare keys that fall together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rowhouse {

struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

[[nodiscard]] std::uint64_t keyed_hash(const HashKey& key, std::string_view text);

// The key of this process, drawn at the first call.
[[nodiscard]] const HashKey& process_hash_key();

// For unordered containers of texts, with lookup by string_view.
class KeyedTextHash {
 public:
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return keyed_hash(key_, text); }

 private:
  HashKey key_ = process_hash_key();
};

}  // namespace rowhouse
