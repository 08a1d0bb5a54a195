// What `rowhouse doctor` says: one line each.
#pragma once

#include <string>
#include <vector>

namespace rowhouse::cli {

enum class Level {
  kOk,
  kWarning,  // Rowhouse runs, but a wall is missing or something will go wrong some day
  kFailure,  // rowhoused refuses to start, or no app can
};

struct Finding {
  std::string topic;
  Level level = Level::kOk;
  std::string found;   // what is there
  std::string advice;  // what to do; empty for kOk
};
using Findings = std::vector<Finding>;

[[nodiscard]] inline Finding ok(std::string topic, std::string found) {
  return {std::move(topic), Level::kOk, std::move(found), ""};
}
[[nodiscard]] inline Finding warning(std::string topic, std::string found, std::string advice) {
  return {std::move(topic), Level::kWarning, std::move(found), std::move(advice)};
}
[[nodiscard]] inline Finding failure(std::string topic, std::string found, std::string advice) {
  return {std::move(topic), Level::kFailure, std::move(found), std::move(advice)};
}

}  // namespace rowhouse::cli
