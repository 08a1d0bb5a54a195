// What was installed and configured: the programs and their Pythons, the configuration, its users and
// directories.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/trusted_path.h"
#include "cli/doctor/finding.h"
#include "proto/loader_messages.h"

namespace rowhouse::cli {

struct PythonFact {
  std::string version;
  std::string program;
  bool found = false;                // the program is there
  std::vector<std::string> missing;  // libraries that the loader of programs does not find
};

struct DirectoryFact {
  std::string role;  // "directories.state"
  std::string path;
  bool made_at_start = false;  // rowhoused makes the last component
  PathVerdict verdict;
};

struct TenantFileFact {
  std::string name;
  std::string problem;  // the loader's first sentence; empty: good
};

struct InstallationFacts {
  std::string config_path;
  std::string program_directory;  // empty: the other programs were not found
  PathVerdict program_verdict;
  PathVerdict config_verdict;             // of the directory that holds the host file
  std::string config_problem;             // the loader's sentences; empty: good
  std::optional<proto::HostRecord> host;  // where the file is good
  std::vector<std::string> wanted_pythons;
  std::vector<PythonFact> pythons;
  std::string python_table_problem;
  std::vector<DirectoryFact> directories;
  std::vector<TenantFileFact> tenants;
  bool tenants_readable = false;
};

// "NAME => not found" lines of what the program loader prints for ldd(1).
[[nodiscard]] std::vector<std::string> parse_missing_libraries(std::string_view trace);

[[nodiscard]] InstallationFacts look_at_installation(const std::string& config_path);
[[nodiscard]] Findings judge_installation(const InstallationFacts& facts);

}  // namespace rowhouse::cli
