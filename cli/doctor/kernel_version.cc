#include "cli/doctor/kernel_version.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

namespace rowhouse::cli {
namespace {

constexpr KernelVersion kFloor{5, 10, 0};

// A hole that an ordinary process can reach, in the kernels from `since` on, until the first repaired version
// of its series.  Series newer than all named ones are repaired from their start; a series that is not named
// and is older is compared with nothing.
struct Advisory {
  const char* name;
  const char* what;
  KernelVersion since;
  std::span<const KernelVersion> repaired;
};

constexpr KernelVersion kSequoia[] = {{5, 10, 52}, {5, 13, 4}};
constexpr KernelVersion kDirtyPipe[] = {{5, 10, 102}, {5, 15, 25}, {5, 16, 11}};
constexpr KernelVersion kNftables[] = {{5, 10, 210}, {5, 15, 149}, {6, 1, 76}, {6, 6, 15}, {6, 7, 3}};
constexpr KernelVersion kCopyFail[] = {{6, 18, 22}};
constexpr Advisory kAdvisories[] = {
    {"CVE-2021-33909", "a local user becomes root through a very long path", {3, 16, 0}, kSequoia},
    {"CVE-2022-0847", "a local user overwrites files that it may only read (pipes)", {5, 8, 0}, kDirtyPipe},
    {"CVE-2024-1086", "a local user with user namespaces becomes root (nf_tables)", {3, 15, 0}, kNftables},
    {"CVE-2026-31431", "a local user overwrites files that it may only read (AF_ALG)", {4, 14, 0}, kCopyFail},
};

std::string text_of(const KernelVersion& version) {
  return std::to_string(version[0]) + "." + std::to_string(version[1]) + "." + std::to_string(version[2]);
}

bool same_series(const KernelVersion& a, const KernelVersion& b) {
  return a[0] == b[0] && a[1] == b[1];
}

// The version that repairs the hole in this series, when this version is before it.
std::optional<KernelVersion> missing_repair(const Advisory& advisory, const KernelVersion& version) {
  if (version < advisory.since) return std::nullopt;
  for (const KernelVersion& repaired : advisory.repaired) {
    if (same_series(version, repaired) && version < repaired) return repaired;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view text) {
  KernelVersion version{};
  std::size_t parts = 0;
  while (parts < version.size()) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version[parts]);
    if (parsed.ec != std::errc{}) break;
    ++parts;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  if (parts < 2) return std::nullopt;
  return version;
}

std::optional<KernelVersion> upstream_version(std::string_view release, std::string_view version,
                                              std::string_view signature) {
  if (const std::size_t word = signature.rfind(' '); word != std::string_view::npos) {
    return parse_kernel_version(signature.substr(word + 1));
  }
  constexpr std::string_view kDebian = " Debian ";
  if (const std::size_t word = version.find(kDebian); word != std::string_view::npos) {
    return parse_kernel_version(version.substr(word + kDebian.size()));
  }
  const auto named = parse_kernel_version(release);
  const bool is_plain = release.find('-') == std::string_view::npos;
  if (named && (is_plain || (*named)[2] != 0)) return named;
  return std::nullopt;
}

Findings judge_kernel_version(std::string_view release, std::optional<KernelVersion> upstream) {
  Findings findings;
  const auto named = parse_kernel_version(release);
  const std::string shown = "Linux " + std::string(release);
  if (!named || *named < kFloor) {
    return {failure("kernel", shown + " is older than 5.10",
                    "boot a kernel of 5.10 or newer; the sandbox needs its calls")};
  }
  if (!upstream) {
    return {ok("kernel",
               shown + ", a distribution's kernel with repairs of its own: known holes are not compared")};
  }
  for (const Advisory& advisory : kAdvisories) {
    const auto repaired = missing_repair(advisory, *upstream);
    if (!repaired) continue;
    findings.push_back(
        warning("kernel", shown + " (" + text_of(*upstream) + ") has " + advisory.name + ": " + advisory.what,
                "update the kernel to " + text_of(*repaired) + " or newer and reboot"));
  }
  if (findings.empty()) findings.push_back(ok("kernel", shown + ", without a hole that this command knows"));
  return findings;
}

}  // namespace rowhouse::cli
