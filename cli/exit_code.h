// The exit codes of the rowhouse command: part of its contract.
#pragma once

namespace rowhouse::cli {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,  // the operation failed
  kUsage = 2,
  kNotFound = 3,  // another tenant's app is as absent as one that does not exist
  kNotPermitted = 4,
  kUnreachable = 5,  // the daemon
  kCannotRun = 5,    // doctor: this host cannot run Rowhouse
};

}  // namespace rowhouse::cli
