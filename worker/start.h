// The steps of a start that need no Python, in order.  Each prints one sentence to the app's log when it
// fails and returns the step's number, which the caller reports on the lifeline; kNone is success.
#pragma once

#include <string>

#include "proto/causes.h"
#include "proto/worker_part.h"

namespace rowhouse::worker {

// Which Python this program embeds.
struct PythonVersion {
  unsigned major = 0;
  unsigned minor = 0;
  [[nodiscard]] std::string text() const;  // "3.11"
};

// Reads and closes the descriptor.
[[nodiscard]] proto::StartStep read_worker_part(int fd, proto::WorkerPart& part);

// The app's environment, or what is the same in those of all apps of a share, then what `activate` of the virtualenv would set: VIRTUAL_ENV and PATH.
void apply_environment(const proto::WorkerPart& part);

[[nodiscard]] proto::StartStep enter_directory(const proto::WorkerPart& part);

// The part asks for the Python that this program embeds.
[[nodiscard]] proto::StartStep check_version(const proto::WorkerPart& part, const PythonVersion& python);

// The virtualenv exists, is whole and was made for this Python.
[[nodiscard]] proto::StartStep check_virtualenv(const proto::WorkerPart& part, const PythonVersion& python);

}  // namespace rowhouse::worker
