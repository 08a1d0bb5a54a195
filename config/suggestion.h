// What to say about a key that is not known.  Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/keys.h"

namespace rowhouse::config {

// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The sentence about `key`; empty when the table supports it.
[[nodiscard]] std::string unknown_key_sentence(std::string_view key, const KeyTable& table);

}  // namespace rowhouse::config
