#include "control/json_fields.h"

#include <utility>

namespace rowhouse::control {

using nlohmann::json;

const json* JsonFields::find(const char* name) const {
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

void JsonFields::refuse(std::string pointer, std::string message) {
  if (!problem_) problem_ = JsonProblem{std::move(pointer), std::move(message)};
}

bool JsonFields::check_text(const json& value, const std::string& pointer, std::size_t max_bytes) {
  if (!value.is_string()) {
    refuse(pointer, "must be a string");
    return false;
  }
  const std::size_t bytes = value.get_ref<const std::string&>().size();
  if (bytes > 0 && bytes <= max_bytes) return true;
  refuse(pointer, "must have 1 to " + std::to_string(max_bytes) + " bytes");
  return false;
}

std::optional<std::string> JsonFields::text(const char* name, std::size_t max_bytes) {
  const json* value = find(name);
  if (value == nullptr || !check_text(*value, std::string("/") + name, max_bytes)) return std::nullopt;
  return value->get<std::string>();
}

std::optional<std::uint32_t> JsonFields::number(const char* name, std::uint32_t least, std::uint32_t most) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string pointer = std::string("/") + name;
  if (!value->is_number_unsigned()) {
    refuse(pointer, "must be a whole number");
    return std::nullopt;
  }
  const auto found = value->get<std::uint64_t>();
  if (found >= least && found <= most) return static_cast<std::uint32_t>(found);
  refuse(pointer, "must be " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<std::vector<std::string>> JsonFields::texts(const char* name, std::size_t max_count,
                                                          std::size_t max_bytes) {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::string pointer = std::string("/") + name;
  if (!value->is_array() || value->size() > max_count) {
    refuse(pointer, "must be a list of at most " + std::to_string(max_count) + " strings");
    return std::nullopt;
  }
  std::vector<std::string> found;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const json& item = (*value)[i];
    if (!check_text(item, pointer + "/" + std::to_string(i), max_bytes)) return std::nullopt;
    found.push_back(item.get<std::string>());
  }
  return found;
}

}  // namespace rowhouse::control
