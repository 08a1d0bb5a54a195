#include "worker/start.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/files.h"
#include "base/unique_fd.h"
#include "worker/pyvenv.h"
#include "worker/say.h"

namespace rowhouse::worker {

std::string PythonVersion::text() const {
  return std::to_string(major) + "." + std::to_string(minor);
}

proto::StartStep read_worker_part(int fd, proto::WorkerPart& part) {
  const UniqueFd owner(fd);
  const auto bytes = read_sealed_memory(fd, proto::kMaxWorkerPartBytes);
  if (!bytes.ok()) {
    say("cannot read the worker part: " + describe(bytes.error()));
    return proto::StartStep::kWorkerPart;
  }
  auto parsed = proto::parse_worker_part(as_bytes(bytes.value()));
  if (!parsed.ok()) {
    say("cannot read the worker part: " + describe(parsed.error()));
    return proto::StartStep::kWorkerPart;
  }
  part = std::move(parsed).value();
  return proto::StartStep::kNone;
}

void apply_environment(const proto::WorkerPart& part) {
  for (const auto& variable : part.environment) {
    const bool common = std::all_of(part.others.begin(), part.others.end(), [&](const proto::WorkerPart& other) {
      return std::find(other.environment.begin(), other.environment.end(), variable) != other.environment.end();
    });
    if (common) ::setenv(variable.first.c_str(), variable.second.c_str(), 1);
  }
  if (part.virtualenv.empty()) return;
  ::setenv("VIRTUAL_ENV", part.virtualenv.c_str(), 1);
  const char* const path = std::getenv("PATH");
  const std::string binaries = part.virtualenv + "/bin";
  ::setenv("PATH", path == nullptr ? binaries.c_str() : (binaries + ":" + path).c_str(), 1);
}

proto::StartStep enter_directory(const proto::WorkerPart& part) {
  if (::chdir(part.directory.c_str()) == 0) return proto::StartStep::kNone;
  say("cannot enter the app's directory '" + part.directory + "': " + std::strerror(errno));
  return proto::StartStep::kDirectory;
}

proto::StartStep check_version(const proto::WorkerPart& part, const PythonVersion& python) {
  if (part.python == python.text()) return proto::StartStep::kNone;
  say("the app asks for Python " + part.python + ", but this worker runs Python " + python.text());
  return proto::StartStep::kInterpreter;
}

proto::StartStep check_virtualenv(const proto::WorkerPart& part, const PythonVersion& python) {
  if (part.virtualenv.empty()) return proto::StartStep::kNone;
  const std::string complaint = find_virtualenv_fault(part.virtualenv, python.text());
  if (complaint.empty()) return proto::StartStep::kNone;
  say(complaint);
  return proto::StartStep::kVirtualenv;
}

}  // namespace rowhouse::worker
