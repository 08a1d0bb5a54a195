// What this kernel can do, tried out by calls that change nothing.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor/finding.h"

namespace rowhouse::cli {

enum class Answer { kPresent, kMissing, kUnknown };

struct FeatureFact {
  std::string name;   // "clone3"
  std::string since;  // "5.3"
  Answer answer = Answer::kUnknown;
  Level if_missing = Level::kFailure;
  std::string meaning;  // what is lost, or what replaces it
};

struct KernelFeatures {
  std::vector<FeatureFact> features;
  int landlock_abi = 0;
};

// What `isolation.strict` makes of a missing wall.
enum class Strictness { kLenient, kStrict };

[[nodiscard]] KernelFeatures look_at_kernel_features();
[[nodiscard]] Findings judge_kernel_features(const KernelFeatures& features, Strictness strictness);

}  // namespace rowhouse::cli
