// The gatherer of installation.h.
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/files.h"
#include "cli/doctor/installation.h"
#include "cli/doctor/loader_client.h"
#include "cli/program_directory.h"
#include "proto/python_table.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxTraceBytes = 256 * 1024;
constexpr std::size_t kMaxTenantFiles = 100'000;
constexpr std::string_view kTenantEnding = ".yaml";

// What ldd(1) does: the program loader lists the libraries and does not start the program.
std::string trace_libraries(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "";
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  std::string name = program;
  char trace[] = "LD_TRACE_LOADED_OBJECTS=1";
  char* const arguments[] = {name.data(), nullptr};
  char* const environment[] = {trace, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, name.c_str(), &actions, nullptr, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  writing.reset();
  if (failed != 0) return program + " => not found";
  const auto output = read_all(reading.get(), kMaxTraceBytes);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return output.ok() ? output.value() : "";
}

void look_at_pythons(InstallationFacts& facts) {
  const std::string table_path = facts.program_directory + "/" + proto::kPythonTableFile;
  const auto table = read_file(AT_FDCWD, table_path.c_str(), proto::kMaxPythonTableBytes);
  const auto rows = table.ok() ? proto::parse_python_table(table.value())
                               : Result<std::vector<proto::PythonRow>>(table.error());
  if (!rows.ok()) {
    facts.python_table_problem = table_path + ": " + describe(rows.error());
    return;
  }
  for (const proto::PythonRow& row : rows.value()) {
    PythonFact fact{row.version, facts.program_directory + "/" + row.program, false, {}};
    fact.found = ::access(fact.program.c_str(), X_OK) == 0;
    if (fact.found) fact.missing = parse_missing_libraries(trace_libraries(fact.program));
    facts.pythons.push_back(std::move(fact));
  }
}

std::vector<std::string> list_tenants(const std::string& directory, bool& readable) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(directory.c_str()), ::closedir);
  readable = listing != nullptr;
  std::vector<std::string> names;
  while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get())) {
    const std::string_view file = entry->d_name;
    if (file.starts_with('.') || !file.ends_with(kTenantEnding) || names.size() == kMaxTenantFiles) continue;
    names.emplace_back(file.substr(0, file.size() - kTenantEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void look_at_configuration(InstallationFacts& facts) {
  LoaderClient loader(facts.program_directory);
  HostAnswer answer = loader.load_host(facts.config_path);
  facts.config_problem = std::move(answer.problem);
  while (facts.config_problem.ends_with('\n')) facts.config_problem.pop_back();
  if (!facts.config_problem.empty()) return;
  facts.host = answer.host;
  facts.wanted_pythons = std::move(answer.pythons);
  const auto add = [&facts](const char* role, const proto::Path& path, bool made_at_start) {
    facts.directories.push_back({role, path.str(), made_at_start, judge_directory_path(path.str())});
  };
  add("directories.tenants", answer.host.tenants, false);
  add("directories.state", answer.host.state, true);
  add("directories.run", answer.host.run, true);
  add("directories.logs", answer.host.logs, true);
  for (const std::string& name : list_tenants(answer.host.tenants.str(), facts.tenants_readable)) {
    const std::string sentences = loader.load_tenant(answer.host.tenants.str(), name);
    facts.tenants.push_back({name, sentences.substr(0, sentences.find('\n'))});
  }
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

InstallationFacts look_at_installation(const std::string& config_path) {
  InstallationFacts facts;
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(config_path.c_str(), nullptr), ::free);
  facts.config_path = resolved != nullptr ? std::string(resolved.get()) : config_path;
  facts.config_verdict = judge_directory_path(directory_of(facts.config_path));
  facts.program_directory = find_program_directory();
  if (facts.program_directory.empty()) return facts;
  facts.program_verdict = judge_directory_path(facts.program_directory);
  look_at_pythons(facts);
  look_at_configuration(facts);
  return facts;
}

}  // namespace rowhouse::cli
