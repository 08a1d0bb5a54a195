#include "config/suggestion.h"

#include <algorithm>
#include <vector>

#include "config/diagnostics.h"

namespace rowhouse::config {
namespace {

// No key of ours is longer, and the distance costs time and memory by the product of the lengths.
constexpr std::size_t kMaxCompared = 32;

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The supported key within a distance that a slip of the finger makes; empty when none is.
std::string_view nearest(std::string_view key, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t best_distance = 3;
  if (key.size() > kMaxCompared) return best;
  for (const std::string_view name : names) {
    const std::size_t distance = edit_distance(key, name);
    if (distance < best_distance && distance * 2 < std::max(name.size(), key.size())) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

std::string list_of(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cells((a.size() + 1) * width);
  const auto cell = [&](std::size_t row, std::size_t column) -> std::size_t& {
    return cells[row * width + column];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cell(i, j) = i + j;
        continue;
      }
      const std::size_t replaced = cell(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      cell(i, j) = std::min({cell(i - 1, j) + 1, cell(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cell(i, j) = std::min(cell(i, j), cell(i - 2, j - 2) + 1);
      }
    }
  }
  return cells.back();
}

std::string unknown_key_sentence(std::string_view key, const KeyTable& table) {
  if (contains(table.supported, key)) return "";
  if (contains(table.later, key)) return quote(key) + " is not supported yet";
  const std::string_view near = nearest(key, table.supported);
  if (!near.empty()) return "unknown key " + quote(key) + "; did you mean " + quote(near) + "?";
  return "unknown key " + quote(key) + "; the keys of " + std::string(table.place) + " are " +
         list_of(table.supported);
}

}  // namespace rowhouse::config
