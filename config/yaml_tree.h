// YAML as a small tree that knows where every value stands.  The only place that includes yaml-cpp; its
// exceptions end here.  The tree is built from parse events, so that depth and size are refused before
// anything recurses or grows, and duplicate keys, aliases, tags and a second document are errors, not choices
// that yaml-cpp makes silently.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"

namespace rowhouse::config {

inline constexpr std::size_t kMaxYamlDepth = 32;
inline constexpr std::size_t kMaxYamlNodes = 20'000;

enum class NodeKind : std::uint8_t { kNull, kScalar, kSequence, kMap };
enum class ScalarStyle : std::uint8_t { kPlain, kQuoted };

struct Key {
  std::string name;
  Position position;
};

struct Node {
  NodeKind kind = NodeKind::kNull;
  Position position;
  std::string text;  // of a scalar, without NUL
  ScalarStyle style = ScalarStyle::kPlain;
  std::vector<Key> keys;       // of a map: keys[i] belongs to children[i]
  std::vector<Node> children;  // of a map or sequence
};

// The tree of the one document in `text`.  Nothing when the text has no usable tree; then, and also for
// duplicate keys, `diagnostics` says why.
[[nodiscard]] std::optional<Node> parse_yaml(std::string_view text, Diagnostics& diagnostics);

}  // namespace rowhouse::config
