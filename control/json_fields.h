// Typed fields of a JSON object: what is of another type, too long or out of range is a problem with its pointer, and
// nothing is converted.  The first problem is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/json_strict.h"

namespace rowhouse::control {

class JsonFields {
 public:
  // REQUIRES: an object; it must outlive this.
  explicit JsonFields(const nlohmann::json& object) : object_(object) {}

  // Nothing when the field is not there, or after a problem.
  [[nodiscard]] std::optional<std::string> text(const char* name, std::size_t max_bytes);
  [[nodiscard]] std::optional<std::uint32_t> number(const char* name, std::uint32_t least, std::uint32_t most);
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const char* name, std::size_t max_count,
                                                              std::size_t max_bytes);
  [[nodiscard]] const std::optional<JsonProblem>& problem() const { return problem_; }

 private:
  const nlohmann::json* find(const char* name) const;
  void refuse(std::string pointer, std::string message);
  bool check_text(const nlohmann::json& value, const std::string& pointer, std::size_t max_bytes);

  const nlohmann::json& object_;
  std::optional<JsonProblem> problem_;
};

}  // namespace rowhouse::control
