#include "loader_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"

namespace rowhouse::config {
namespace {

constexpr int kControlSocket = 3;
constexpr int kPatienceMs = 20'000;

// In the child: becomes the loader or dies.
[[noreturn]] void exec_loader(int program, int socket, uid_t uid) {
  char name[] = "rowhouse-loader";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  // The program's descriptor may be the number that the socket must have.
  const int moved = ::fcntl(program, F_DUPFD_CLOEXEC, 10);
  const bool ready =
      moved >= 0 &&
      (socket == kControlSocket ? ::fcntl(socket, F_SETFD, 0) : ::dup2(socket, kControlSocket)) >= 0 &&
      ::setgroups(0, nullptr) == 0 && ::setresgid(uid, uid, uid) == 0 && ::setresuid(uid, uid, uid) == 0;
  if (ready) ::fexecve(moved, arguments, environment);
  ::_exit(99);
}

int wait_for_exit(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

LoaderProcess::LoaderProcess(uid_t uid) {
  const UniqueFd program(::open(ROWHOUSE_LOADER, O_PATH | O_CLOEXEC));
  auto pair = create_seqpacket_pair();
  if (!program.valid() || !pair.ok()) std::abort();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) exec_loader(program.get(), pair.value().theirs.get(), uid);
  socket_ = std::move(pair.value().ours);
}

LoaderProcess::~LoaderProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for_exit(pid_);
}

void LoaderProcess::send_bytes(ByteSpan bytes) {
  if (!send_message(socket_.get(), bytes).ok()) std::abort();
}

Answer LoaderProcess::receive() {
  Answer answer;
  std::size_t beside = 0;  // records that Loaded does not count
  for (;;) {
    auto incoming = proto::wait_for_control(socket_.get(), kPatienceMs);
    if (!incoming.ok()) return answer;
    proto::IncomingMessage& message = incoming.value();
    if (message.type == proto::MessageType::kLoaded) {
      const auto loaded = proto::decode_message<proto::Loaded>(message);
      answer.loaded = loaded.ok() && loaded.value().records == answer.records.size() - beside;
      return answer;
    }
    if (message.type == proto::MessageType::kLoadError) {
      if (!proto::decode_message<proto::LoadError>(message).ok()) return answer;
      auto text = read_sealed_memory(message.descriptors[0].get(), proto::kMaxErrorTextBytes);
      if (text.ok()) answer.sentences = text.value();
      return answer;
    }
    if (message.type == proto::MessageType::kSourceText) {
      auto source = read_sealed_memory(message.descriptors[0].get(), proto::kMaxConfigurationBytes);
      if (source.ok()) answer.source = source.value();
      continue;
    }
    const bool extra = message.type == proto::MessageType::kManifestIdentity ||
                       message.type == proto::MessageType::kManifestWatch;
    if (extra) ++beside;
    const bool unchanged = message.type == proto::MessageType::kUnchanged;
    answer.records.push_back(std::move(message));
    if (unchanged) return answer;
  }
}

Answer LoaderProcess::load_manifest(const std::string& home, const std::string& manifest) {
  ask_for_manifest(home, manifest);
  return receive();
}

void LoaderProcess::wait_until_stuck() {
  int last = -1, unchanged = 0;
  while (unchanged < 100) {
    int waiting = 0;
    if (::ioctl(socket_.get(), FIONREAD, &waiting) != 0) std::abort();
    unchanged = waiting > 0 && waiting == last ? unchanged + 1 : 0;
    last = waiting;
    ::poll(nullptr, 0, 1);
  }
}

void LoaderProcess::ask_for_manifest(const std::string& home, const std::string& manifest) {
  proto::LoadManifest request;
  request.tenant = proto::Name::cut("acme");
  request.user = proto::Name::cut("acme-user");
  request.home = proto::Path::cut(home);
  request.manifest = proto::Path::cut(manifest);
  request.default_python = proto::Text<15>::cut("3.11");
  send(request);
}

Answer LoaderProcess::load_kept_manifest(const std::string& home, const std::string& text) {
  proto::LoadKeptManifest request;
  request.tenant = proto::Name::cut("acme");
  request.user = proto::Name::cut("acme-user");
  request.home = proto::Path::cut(home);
  request.manifest = proto::Path::cut("rowhouse.yaml");
  request.default_python = proto::Text<15>::cut("3.11");
  const auto memory = create_sealed_memory("manifest", as_bytes(text));
  if (!memory.ok()) std::abort();
  send(request, {memory.value().get()});
  return receive();
}

int LoaderProcess::finish() {
  socket_.reset();
  return wait_for_exit(std::exchange(pid_, -1));
}

int run_loader(const std::vector<std::string>& arguments, std::string& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  std::vector<char*> words{const_cast<char*>(ROWHOUSE_LOADER)};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    ::dup2(write_end.get(), STDOUT_FILENO);
    ::execv(ROWHOUSE_LOADER, words.data());
    ::_exit(99);
  }
  write_end.reset();
  auto text = read_all(read_end.get(), 1 << 20);
  out = text.ok() ? text.value() : "";
  return wait_for_exit(pid);
}

}  // namespace rowhouse::config
