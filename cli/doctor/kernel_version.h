// The kernel's version and the known holes that a version tells.  Distributions repair kernels without a new
// upstream version, so only a version that names its patch level is compared; others are reported as such.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "cli/doctor/finding.h"

namespace rowhouse::cli {

using KernelVersion = std::array<unsigned, 3>;

// "6.18.44-x" -> 6.18.44; nothing when there are no two numbers.
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view text);

// The upstream version that a kernel was built from.  `release` and `version` are uname(2)'s; `signature` is
// /proc/version_signature (Ubuntu), empty elsewhere.  Nothing for a distribution's kernel that does not say.
[[nodiscard]] std::optional<KernelVersion> upstream_version(std::string_view release,
                                                            std::string_view version,
                                                            std::string_view signature);

[[nodiscard]] Findings judge_kernel_version(std::string_view release, std::optional<KernelVersion> upstream);

}  // namespace rowhouse::cli
