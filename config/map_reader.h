// Reads one map of a configuration file by its key table: reports what is no map, unknown keys, missing
// required keys and values of a wrong type, each once and where it stands, and leaves the caller's default in
// place wherever something is wrong, so that reading goes on and finds the next error.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/keys.h"
#include "config/parsed.h"
#include "config/quantities.h"
#include "config/yaml_tree.h"
#include "proto/text.h"

namespace rowhouse::config {

// The parsers of single values below report `subject` + " " + what is wrong.  Nothing after a report.
std::optional<std::uint64_t> read_whole(const Node& node, std::string_view subject, Range range,
                                        Diagnostics&);
std::optional<bool> read_flag(const Node& node, std::string_view subject, Diagnostics&);
// The text of a scalar that is not empty.
std::optional<std::string> read_text(const Node& node, std::string_view subject, Diagnostics&);

template <typename Parse>
auto read_parsed(const Node& node, std::string_view subject, Diagnostics& diagnostics, Parse parse)
    -> std::optional<std::remove_cvref_t<decltype(parse(std::string_view{}).value())>> {
  const std::optional<std::string> text = read_text(node, subject, diagnostics);
  if (!text) return std::nullopt;
  auto parsed = parse(*text);
  if (parsed.ok()) return parsed.value();
  diagnostics.add(node.position, std::string(subject) + " " + parsed.problem());
  return std::nullopt;
}

// The items of a list of 1 to `cap` items; nothing after a report.
const std::vector<Node>* read_list(const Node& node, std::string_view subject, std::size_t cap, Diagnostics&);
// `node` when it is a map of 0 to `cap` names that the author chose; nothing after a report.
const Node* read_names(const Node& node, std::string_view subject, std::size_t cap, Diagnostics&);

class MapReader {
 public:
  // REQUIRES: `node`, `table` and `diagnostics` outlive the reader.
  MapReader(const Node& node, const KeyTable& table, Diagnostics& diagnostics);

  // The value, or null when the key is missing.
  [[nodiscard]] const Node* find(std::string_view key) const;
  // The same, but a missing key is an error, reported at the map.
  const Node* require(std::string_view key) const;
  // Where the value stands, or the map when the key is missing.
  [[nodiscard]] Position position_of(std::string_view key) const;
  [[nodiscard]] Diagnostics& diagnostics() const { return diagnostics_; }

  // Each of these leaves `into` alone when the key is missing or its value wrong.
  template <std::unsigned_integral Integer>
  void whole(std::string_view key, Range range, Integer& into) const {
    const Node* node = find(key);
    if (node == nullptr) return;
    if (const auto value = read_whole(*node, quote(key), range, diagnostics_))
      into = static_cast<Integer>(*value);
  }
  // `parse` is parse_size, parse_duration or parse_percent.
  template <typename Parse, std::unsigned_integral Integer>
  void quantity(std::string_view key, Parse parse, Range range, Integer& into) const {
    const auto in_range = [&](std::string_view text) { return parse(text, range); };
    if (const auto value = parsed(key, in_range)) into = static_cast<Integer>(*value);
  }
  template <typename Parse, std::size_t N>
  void text(std::string_view key, Parse parse, proto::Text<N>& into) const {
    const auto value = parsed(key, parse);
    if (!value) return;
    if (const auto fitting = proto::Text<N>::from(*value)) {
      into = *fitting;
    } else {
      diagnostics_.add(position_of(key), quote(key) + " must have at most " + std::to_string(N) + " bytes");
    }
  }
  void flag(std::string_view key, bool& into) const;
  template <typename Parse>
  auto parsed(std::string_view key, Parse parse) const
      -> decltype(read_parsed(std::declval<const Node&>(), key, std::declval<Diagnostics&>(), parse)) {
    const Node* node = find(key);
    if (node == nullptr) return std::nullopt;
    return read_parsed(*node, quote(key), diagnostics_, parse);
  }

 private:
  const Node& node_;
  Diagnostics& diagnostics_;
};

}  // namespace rowhouse::config
