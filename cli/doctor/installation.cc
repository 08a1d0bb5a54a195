#include "cli/doctor/installation.h"

#include <algorithm>
#include <sstream>

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxNamedTenants = 10;
constexpr const char* kSafePathAdvice =
    "chown root: and chmod go-w every directory on the path; whoever can write there can become root";

void judge_programs(const InstallationFacts& facts, Findings& findings) {
  if (facts.program_directory.empty()) {
    findings.push_back(failure("programs", "rowhouse-loader is neither beside this command nor installed",
                               "install Rowhouse again: meson install -C BUILD"));
    return;
  }
  if (facts.program_verdict.kind == PathVerdict::Kind::kTrusted) {
    findings.push_back(ok("programs", facts.program_directory));
  } else {
    findings.push_back(warning(
        "programs", facts.program_verdict.sentence + "; the programs there run as root", kSafePathAdvice));
  }
}

void judge_pythons(const InstallationFacts& facts, Findings& findings) {
  if (!facts.python_table_problem.empty()) {
    findings.push_back(
        failure("pythons", facts.python_table_problem, "install Rowhouse again: meson install -C BUILD"));
    return;
  }
  if (facts.pythons.empty()) {
    findings.push_back(failure("pythons", "no worker was built for any Python",
                               "install python3-dev and build Rowhouse again"));
  }
  const std::vector<std::string>& wanted = facts.wanted_pythons;
  for (const PythonFact& python : facts.pythons) {
    // One that was built and that no tenant can choose harms nobody.
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), python.version) == wanted.end()) continue;
    if (!python.found) {
      findings.push_back(failure("pythons",
                                 "Python " + python.version + ": " + python.program + " is missing",
                                 "install Rowhouse again"));
    } else if (!python.missing.empty()) {
      findings.push_back(warning(
          "pythons", "Python " + python.version + ": cannot be loaded without " + python.missing.front(),
          "install the package with that library, or take the version out of pythons:"));
    } else {
      findings.push_back(ok("pythons", "Python " + python.version + ": " + python.program));
    }
  }
  for (const std::string& version : wanted) {
    const bool built = std::any_of(facts.pythons.begin(), facts.pythons.end(),
                                   [&](const PythonFact& python) { return python.version == version; });
    if (built) continue;
    findings.push_back(failure("pythons", "pythons: names " + version + ", and no worker was built for it",
                               "build one (meson option pythons), or take the version out of pythons:"));
  }
}

// The loader's sentences, one a line.
void judge_sentences(const std::string& sentences, Findings& findings) {
  std::istringstream lines(sentences);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("no such user") != std::string::npos) {
      findings.push_back(
          failure("users", line,
                  "useradd --system --no-create-home --shell /usr/sbin/nologin NAME, or name another user"));
    } else {
      findings.push_back(
          failure("configuration", line, "mend the file; rowhouse check --kind host FILE tries it again"));
    }
  }
}

void judge_configuration(const InstallationFacts& facts, Findings& findings) {
  if (facts.config_verdict.kind != PathVerdict::Kind::kTrusted) {
    const bool missing = facts.config_verdict.kind != PathVerdict::Kind::kRefused;
    findings.push_back(failure(
        "configuration",
        missing ? "the directory of " + facts.config_path + " does not exist" : facts.config_verdict.sentence,
        missing ? "copy etc/rowhouse.yaml there, or name a file with --config" : kSafePathAdvice));
  }
  if (facts.program_directory.empty()) return;
  if (facts.config_problem.empty()) {
    findings.push_back(ok("configuration", facts.config_path + ": valid"));
    return;
  }
  judge_sentences(facts.config_problem, findings);
}

void judge_users(const proto::HostRecord& host, Findings& findings) {
  const auto ids = [](std::uint32_t uid, std::uint32_t gid) {
    return "uid " + std::to_string(uid) + ", gid " + std::to_string(gid);
  };
  findings.push_back(ok("users", "gateway: " + ids(host.gateway_uid, host.gateway_gid)));
  findings.push_back(ok("users", "control: " + ids(host.control_uid, host.control_gid)));
  // Root and equal users are refused by the loader; a common group is not.
  if (host.gateway_gid == host.control_gid) {
    findings.push_back(
        warning("users", "gateway and control have the same group", "give each a group of its own"));
  }
  if (host.gateway_uid >= host.uid_min || host.control_uid >= host.uid_min) {
    findings.push_back(warning("users",
                               "a user of Rowhouse's programs is not below uids.min (" +
                                   std::to_string(host.uid_min) + "), where tenants' uids are",
                               "use system users (useradd --system), or raise uids.min"));
  }
}

void judge_directory(const DirectoryFact& fact, Findings& findings) {
  const std::string name = fact.role + " " + fact.path;
  switch (fact.verdict.kind) {
    case PathVerdict::Kind::kTrusted: return findings.push_back(ok("directories", name));
    case PathVerdict::Kind::kLastMissing:
      if (fact.made_at_start) return findings.push_back(ok("directories", name + ": made at the start"));
      return findings.push_back(
          failure("directories", name + " does not exist", "mkdir -m 0755 " + fact.path));
    case PathVerdict::Kind::kAboveMissing:
      return findings.push_back(
          failure("directories", fact.role + ": " + fact.verdict.sentence, "mkdir -p -m 0755 " + fact.path));
    case PathVerdict::Kind::kRefused:
      return findings.push_back(
          failure("directories", fact.role + ": " + fact.verdict.sentence, kSafePathAdvice));
  }
}

void judge_tenants(const InstallationFacts& facts, Findings& findings) {
  if (facts.directories.front().verdict.kind != PathVerdict::Kind::kTrusted) return;  // said already
  if (!facts.tenants_readable) {
    findings.push_back(
        warning("tenants", "the tenants' files cannot be read", "run rowhouse doctor as root"));
    return;
  }
  std::size_t refused = 0;
  for (const TenantFileFact& tenant : facts.tenants) {
    if (tenant.problem.empty() || ++refused > kMaxNamedTenants) continue;
    findings.push_back(
        warning("tenants", tenant.problem, "mend the file; the other tenants are not concerned"));
  }
  const std::string counted =
      std::to_string(facts.tenants.size()) + " files, " + std::to_string(refused) + " refused";
  if (refused > kMaxNamedTenants) {
    findings.push_back(warning("tenants", counted, "rowhoused --config FILE --check names all"));
  } else {
    findings.push_back(ok("tenants", counted));
  }
}

}  // namespace

std::vector<std::string> parse_missing_libraries(std::string_view trace) {
  constexpr std::string_view kNotFound = " => not found";
  std::vector<std::string> missing;
  while (!trace.empty()) {
    const std::string_view line = trace.substr(0, trace.find('\n'));
    trace.remove_prefix(std::min(trace.size(), line.size() + 1));
    const std::size_t end = line.find(kNotFound);
    if (end == std::string_view::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t");
    missing.emplace_back(line.substr(begin, end - begin));
  }
  return missing;
}

Findings judge_installation(const InstallationFacts& facts) {
  Findings findings;
  judge_programs(facts, findings);
  if (!facts.program_directory.empty()) judge_pythons(facts, findings);
  judge_configuration(facts, findings);
  if (!facts.host || facts.directories.empty()) return findings;
  judge_users(*facts.host, findings);
  for (const DirectoryFact& fact : facts.directories) judge_directory(fact, findings);
  judge_tenants(facts, findings);
  return findings;
}

}  // namespace rowhouse::cli
