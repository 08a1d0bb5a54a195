#include "config/map_reader.h"

#include <algorithm>

#include "config/suggestion.h"

namespace rowhouse::config {

std::optional<std::uint64_t> read_whole(const Node& node, std::string_view subject, Range range,
                                        Diagnostics& diagnostics) {
  if (node.kind == NodeKind::kScalar && node.style == ScalarStyle::kQuoted) {
    diagnostics.add(node.position, std::string(subject) + " must be a number without quotes, not the text " +
                                       quote(node.text));
    return std::nullopt;
  }
  return read_parsed(node, subject, diagnostics,
                     [&](std::string_view text) { return parse_whole(text, range); });
}

std::optional<bool> read_flag(const Node& node, std::string_view subject, Diagnostics& diagnostics) {
  if (node.kind == NodeKind::kScalar && node.style == ScalarStyle::kPlain) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  diagnostics.add(node.position, std::string(subject) + " must be true or false");
  return std::nullopt;
}

std::optional<std::string> read_text(const Node& node, std::string_view subject, Diagnostics& diagnostics) {
  if (node.kind == NodeKind::kScalar && !node.text.empty()) return node.text;
  const bool structured = node.kind == NodeKind::kMap || node.kind == NodeKind::kSequence;
  diagnostics.add(node.position,
                  std::string(subject) +
                      (structured ? " must be a single value, not a map or a list" : " must not be empty"));
  return std::nullopt;
}

const std::vector<Node>* read_list(const Node& node, std::string_view subject, std::size_t cap,
                                   Diagnostics& diagnostics) {
  const std::string name(subject);
  if (node.kind != NodeKind::kSequence) {
    diagnostics.add(node.position, name + " must be a list: [one, two]");
  } else if (node.children.empty()) {
    diagnostics.add(node.position, name + " must not be empty");
  } else if (node.children.size() > cap) {
    diagnostics.add(node.children[cap].position,
                    name + " must have at most " + std::to_string(cap) + " entries");
  } else {
    return &node.children;
  }
  return nullptr;
}

const Node* read_names(const Node& node, std::string_view subject, std::size_t cap,
                       Diagnostics& diagnostics) {
  const std::string name(subject);
  if (node.kind != NodeKind::kMap) {
    diagnostics.add(node.position, name + " must be a map: { name: value }");
  } else if (node.keys.size() > cap) {
    diagnostics.add(node.keys[cap].position, name + " must have at most " + std::to_string(cap) + " entries");
  } else {
    return &node;
  }
  return nullptr;
}

MapReader::MapReader(const Node& node, const KeyTable& table, Diagnostics& diagnostics)
    : node_(node), diagnostics_(diagnostics) {
  if (node.kind != NodeKind::kMap) {
    diagnostics.add(node.position, std::string(table.place) + " must be a map: { key: value }");
  }
  for (const Key& key : node.keys) {
    std::string sentence = unknown_key_sentence(key.name, table);
    if (!sentence.empty()) diagnostics.add(key.position, std::move(sentence));
  }
}

const Node* MapReader::find(std::string_view key) const {
  const auto found =
      std::find_if(node_.keys.begin(), node_.keys.end(), [&](const Key& each) { return each.name == key; });
  if (found == node_.keys.end()) return nullptr;
  return &node_.children[static_cast<std::size_t>(found - node_.keys.begin())];
}

const Node* MapReader::require(std::string_view key) const {
  const Node* found = find(key);
  if (found == nullptr && node_.kind == NodeKind::kMap) {
    diagnostics_.add(node_.position, "the key " + quote(key) + " is missing");
  }
  return found;
}

Position MapReader::position_of(std::string_view key) const {
  const Node* found = find(key);
  return found != nullptr ? found->position : node_.position;
}

void MapReader::flag(std::string_view key, bool& into) const {
  const Node* node = find(key);
  if (node == nullptr) return;
  if (const auto value = read_flag(*node, quote(key), diagnostics_)) into = *value;
}

}  // namespace rowhouse::config
