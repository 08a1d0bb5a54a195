#include "control/json_strict.h"

#include <algorithm>
#include <set>
#include <vector>

namespace rowhouse::control {
namespace {

using nlohmann::json;

std::string pointer_token(std::string_view key) {
  std::string token = "/";
  for (const char c : key) {
    if (c == '~')
      token += "~0";
    else if (c == '/')
      token += "~1";
    else
      token += c;
  }
  return token;
}

// Walks the document without building it and stops at the first thing that is not allowed.
class Inspector final : public nlohmann::json_sax<json> {
 public:
  std::optional<JsonProblem> problem;

  bool null() override { return on_value(); }
  bool boolean(bool) override { return on_value(); }
  bool number_integer(number_integer_t) override { return on_value(); }
  bool number_unsigned(number_unsigned_t) override { return on_value(); }
  bool number_float(number_float_t, const string_t&) override { return on_value(); }
  bool binary(binary_t&) override { return refuse("binary values are not JSON"); }
  bool string(string_t& text) override {
    begin_value();
    if (has_nul(text)) return refuse("a string may not hold U+0000");
    end_value();
    return true;
  }
  bool start_object(std::size_t) override { return open(Level{{}, {}, 0, Kind::kObject}); }
  bool start_array(std::size_t) override { return open(Level{{}, {}, 0, Kind::kArray}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (has_nul(name)) return refuse("a key may not hold U+0000");
    if (!level.seen.insert(name).second) return refuse("this key stands here twice");
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
    // Number 406 is a number that no type can hold; all others are broken grammar.
    const std::string what = error.id == 406 ? "a number out of range" : "not valid JSON";
    return refuse(what + " at byte " + std::to_string(position));
  }

 private:
  enum class Kind { kObject, kArray };
  struct Level {
    std::set<std::string> seen;
    std::string key;
    std::size_t index;
    Kind kind;
  };

  static bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }
  bool open(Level level) {
    begin_value();
    if (levels_.size() >= kMaxJsonDepth) {
      return refuse("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    levels_.push_back(std::move(level));
    return true;
  }
  bool close() {
    levels_.pop_back();
    end_value();
    return true;
  }
  bool on_value() {
    begin_value();
    end_value();
    return true;
  }
  void begin_value() {
    if (!levels_.empty() && levels_.back().kind == Kind::kArray) {
      levels_.back().key = std::to_string(levels_.back().index);
    }
  }
  void end_value() {
    if (!levels_.empty()) ++levels_.back().index;
  }
  bool refuse(std::string message) {
    std::string pointer;
    for (const Level& level : levels_) {
      if (!level.key.empty() || !level.seen.empty()) pointer += pointer_token(level.key);
    }
    problem = JsonProblem{std::move(pointer), std::move(message)};
    return false;
  }

  std::vector<Level> levels_;
};

}  // namespace

ParsedJson parse_json(std::string_view text) {
  ParsedJson parsed;
  if (text.starts_with("\xef\xbb\xbf")) {
    parsed.problem = JsonProblem{"", "a byte order mark is not allowed"};
    return parsed;
  }
  try {
    Inspector inspector;
    json::sax_parse(text, &inspector);
    parsed.problem = inspector.problem;
    if (!parsed.problem) parsed.value = json::parse(text);
  } catch (const json::exception& error) {
    parsed.problem = JsonProblem{"", error.what()};
  }
  return parsed;
}

std::optional<JsonProblem> check_fields(const json& value, std::initializer_list<std::string_view> names) {
  if (!value.is_object()) return JsonProblem{"", "must be an object"};
  for (const auto& field : value.items()) {
    if (std::find(names.begin(), names.end(), field.key()) != names.end()) continue;
    return JsonProblem{pointer_token(field.key()), "unknown field"};
  }
  return std::nullopt;
}

}  // namespace rowhouse::control
