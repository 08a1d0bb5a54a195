#include "cli/doctor/doctor_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/printable.h"
#include "cli/doctor/cgroup_layout.h"
#include "cli/doctor/installation.h"
#include "cli/doctor/kernel_features.h"
#include "cli/doctor/kernel_version.h"
#include "cli/doctor/settings.h"
#include "cli/report.h"
#include "cli/terminal.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxSignatureBytes = 4096;

std::string_view word_of(Level level) {
  switch (level) {
    case Level::kOk: return "ok";
    case Level::kWarning: return "warning";
    case Level::kFailure: return "failure";
  }
  return "";
}

Colour colour_of(Level level) {
  if (level == Level::kOk) return Colour::kGreen;
  return level == Level::kWarning ? Colour::kYellow : Colour::kRed;
}

void append(Findings& to, Findings from) {
  for (Finding& finding : from) to.push_back(std::move(finding));
}

Findings look_at_kernel_version() {
  utsname name{};
  ::uname(&name);
  const auto signature = read_file(AT_FDCWD, "/proc/version_signature", kMaxSignatureBytes);
  const std::string text = signature.ok() ? signature.value() : "";
  return judge_kernel_version(name.release, upstream_version(name.release, name.version, text));
}

Findings examine(const std::string& config) {
  const InstallationFacts installation = look_at_installation(config);
  const bool strict = installation.host && installation.host->strict;
  const Strictness strictness = strict ? Strictness::kStrict : Strictness::kLenient;
  const std::string parent = installation.host ? installation.host->cgroup_parent.str() : "";
  Findings findings = look_at_kernel_version();
  append(findings, judge_kernel_features(look_at_kernel_features(), strictness));
  append(findings, judge_cgroups(look_at_cgroups(parent), strictness));
  append(findings, judge_installation(installation));
  append(findings, judge_settings(look_at_settings()));
  return findings;
}

void print_findings(const Findings& findings) {
  const Terminal terminal = look_at_terminal();
  for (const Finding& finding : findings) {
    const std::string level =
        terminal.paint(fmt::format("{:<8}", word_of(finding.level)), colour_of(finding.level));
    print(fmt::format("{} {:<13} {}\n", level, finding.topic, terminal_safe(finding.found)));
    if (!finding.advice.empty()) print(fmt::format("{:23}-> {}\n", "", terminal_safe(finding.advice)));
  }
}

std::size_t count(const Findings& findings, Level level) {
  return static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(), [level](const Finding& finding) { return finding.level == level; }));
}

}  // namespace

ExitCode verdict_of(const Findings& findings) {
  if (count(findings, Level::kFailure) > 0) return ExitCode::kCannotRun;
  return count(findings, Level::kWarning) > 0 ? ExitCode::kFailed : ExitCode::kDone;
}

std::string doctor_json(const Findings& findings) {
  const ExitCode verdict = verdict_of(findings);
  nlohmann::ordered_json json{{"verdict", "cannot-run"}};
  if (verdict != ExitCode::kCannotRun) json["verdict"] = verdict == ExitCode::kDone ? "good" : "warnings";
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json["findings"].push_back({{"topic", finding.topic},
                                {"level", word_of(finding.level)},
                                {"found", finding.found},
                                {"advice", finding.advice}});
  }
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

ExitCode run_doctor(const Invocation& invocation) {
  const Findings findings = examine(invocation.config);
  if (invocation.output == Output::kJson) {
    print(doctor_json(findings));
    return verdict_of(findings);
  }
  print_findings(findings);
  print(fmt::format("{} ok, {} warnings, {} failures\n", count(findings, Level::kOk),
                    count(findings, Level::kWarning), count(findings, Level::kFailure)));
  return verdict_of(findings);
}

}  // namespace rowhouse::cli
