// The programs that the supervisor starts, opened once at start and exec-ed by descriptor, so that nothing
// depends on an unprivileged user being able to walk to them; and the table of Pythons beside them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

struct PythonProgram {
  std::string version;  // "3.11"
  std::string prefix;   // "/usr"
  UniqueFd program;     // O_PATH is not enough: it is bind-mounted into sandboxes
};

struct Programs {
  UniqueFd jail;
  UniqueFd gateway;
  UniqueFd control;
  UniqueFd loader;
  std::vector<PythonProgram> pythons;

  // Nothing when no worker was built for the version.
  [[nodiscard]] const PythonProgram* find_python(std::string_view version) const;
};

// Looks beside our own executable, then in ../libexec/rowhouse.  `problem` gets a sentence on failure.
Result<Programs> open_programs(std::string& problem);

}  // namespace rowhouse::supervisor
