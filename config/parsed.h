// What a pure parser of one value answers: the value, or what is wrong with it as the predicate of a sentence
// (`must be a size such as "64K"`), whose subject the caller knows.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace rowhouse::config {

struct Problem {
  std::string predicate;
};

template <typename T>
class [[nodiscard]] Parsed {
 public:
  Parsed(T value) : state_(std::in_place_index<0>, std::move(value)) {}            // NOLINT: implicit
  Parsed(Problem problem) : state_(std::in_place_index<1>, std::move(problem)) {}  // NOLINT: implicit
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().
  [[nodiscard]] const T& value() const { return std::get<0>(state_); }
  // Moves the value out.  REQUIRES: ok().
  [[nodiscard]] T take() { return std::move(std::get<0>(state_)); }
  // REQUIRES: !ok().
  [[nodiscard]] const std::string& problem() const { return std::get<1>(state_).predicate; }

 private:
  std::variant<T, Problem> state_;
};

}  // namespace rowhouse::config
