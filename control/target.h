// The target of a request, taken apart: "/v1/apps/acme/site/logs?lines=5".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::control {

struct Target {
  std::vector<std::string> segments;              // decoded; never empty strings
  std::map<std::string, std::string> parameters;  // decoded; no name twice
  // "" when it is not there.
  [[nodiscard]] std::string parameter(const std::string& name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  }
};

inline constexpr std::size_t kMaxSegments = 8;
inline constexpr std::size_t kMaxParameters = 8;

// kInvalid for anything but an origin-form target (RFC 9112 3.2.1) with correct percent-encoding, without
// empty segments and with each parameter once; kTooLarge beyond the caps.
[[nodiscard]] Result<Target> parse_target(std::string_view text);

}  // namespace rowhouse::control
