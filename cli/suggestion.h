// "Did you mean ...?" for mistyped words.
#pragma once

#include <span>
#include <string_view>

namespace rowhouse::cli {

// The number of letters to insert, delete, replace or swap with their neighbour.
[[nodiscard]] std::size_t edit_distance(std::string_view from, std::string_view to);

// The candidate nearest to `word`; empty when none is near enough to be meant.
[[nodiscard]] std::string_view suggest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace rowhouse::cli
