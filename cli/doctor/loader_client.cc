#include "cli/doctor/loader_client.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/files.h"

namespace rowhouse::cli {
namespace {

constexpr int kControlFd = 3;        // where the loader serves
constexpr int kPatienceMs = 10'000;  // for one file
constexpr uid_t kNobody = 65534;

UniqueFd open_for_loader(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// REQUIRES: a fork with one thread.  SECURITY: an environment of its own, no descriptor but the socket, and
// never root: the file is YAML.
[[noreturn]] void become_loader(int program, int socket) {
  char* const arguments[] = {const_cast<char*>("rowhouse-loader"), nullptr};
  char* const environment[] = {const_cast<char*>("LC_ALL=C.UTF-8"), nullptr};
  const int parked = ::fcntl(program, F_DUPFD_CLOEXEC, kControlFd + 1);
  if (parked < 0 || ::dup2(socket, kControlFd) < 0) ::_exit(1);
  if (socket == kControlFd && ::fcntl(socket, F_SETFD, 0) != 0) ::_exit(1);
  if (::geteuid() == 0) {
    const bool dropped = ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                         ::setresuid(kNobody, kNobody, kNobody) == 0;
    if (!dropped) ::_exit(1);
  }
  ::fexecve(parked, arguments, environment);
  ::_exit(1);
}

}  // namespace

LoaderClient::LoaderClient(const std::string& program_directory) {
  const UniqueFd program(::open((program_directory + "/rowhouse-loader").c_str(), O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (!program.valid() || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
  control_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  child_ = ::fork();
  if (child_ == 0) become_loader(program.get(), theirs.get());
}

LoaderClient::~LoaderClient() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);  // it keeps nothing
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string LoaderClient::receive(HostAnswer* host) {
  for (;;) {
    auto incoming = proto::wait_for_control(control_.get(), kPatienceMs);
    if (!incoming.ok()) return "rowhouse-loader did not answer: " + describe(incoming.error());
    const proto::IncomingMessage& message = incoming.value();
    if (message.type == proto::MessageType::kLoaded) return "";
    if (message.type == proto::MessageType::kLoadError && message.descriptors.size() == 1) {
      const auto text = read_sealed_memory(message.descriptors[0].get(), proto::kMaxErrorTextBytes);
      return text.ok() ? text.value() : "the loader's sentences cannot be read";
    }
    if (host == nullptr) continue;
    if (message.type == proto::MessageType::kHostRecord) {
      const auto record = proto::decode_message<proto::HostRecord>(message);
      if (record.ok()) host->host = record.value();
    } else if (message.type == proto::MessageType::kPythonRecord) {
      const auto record = proto::decode_message<proto::PythonRecord>(message);
      if (record.ok()) host->pythons.push_back(record.value().version.str());
    }
  }
}

HostAnswer LoaderClient::load_host(const std::string& path) {
  HostAnswer answer;
  const UniqueFd file = open_for_loader(path);
  if (!file.valid()) {
    answer.problem = path + ": " + std::strerror(errno);
    return answer;
  }
  const Status sent =
      proto::send_control(control_.get(), proto::LoadHost{proto::Path::cut(path)}, {file.get()});
  answer.problem =
      sent.ok() ? receive(&answer) : "rowhouse-loader cannot be asked: " + describe(sent.error());
  return answer;
}

std::string LoaderClient::load_tenant(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name + ".yaml";
  const UniqueFd file = open_for_loader(path);
  if (!file.valid()) return path + ": " + std::strerror(errno);
  const proto::LoadTenant request{proto::Name::cut(name), proto::Path::cut(path)};
  const Status sent = proto::send_control(control_.get(), request, {file.get()});
  return sent.ok() ? receive(nullptr) : path + ": rowhouse-loader cannot be asked: " + describe(sent.error());
}

}  // namespace rowhouse::cli
