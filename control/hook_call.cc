#include "control/hook_call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/files.h"

namespace rowhouse::control {
namespace {

// What both kinds have: a deadline, and an end that is told once.
class Call : public HookCall {
 protected:
  Call(uv_loop_t* loop, DoneCallback on_done)
      : on_done_(std::move(on_done)), deadline_(loop, [this] { end("it took longer than 30 s"); }), later_(loop, [this] { tell(); }) {
    deadline_.start(kDeadline);
  }
  void end(std::string problem) {
    if (ended_) return;
    ended_ = true;
    problem_ = std::move(problem);
    deadline_.stop();
    later_.start(std::chrono::milliseconds(0));
  }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  void tell() {
    const DoneCallback on_done = std::move(on_done_);
    on_done(std::string(problem_));
  }
  DoneCallback on_done_;
  std::string problem_;
  bool ended_ = false;
  Timer deadline_;
  Timer later_;
};

std::string errno_text(const char* operation) {
  return std::string(operation) + ": " + std::strerror(errno);
}

UniqueFd open_connection(const HookUrl& url, std::string& problem) {
  const bool local = !url.socket.empty();
  UniqueFd connection(::socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::memcpy(path.sun_path, url.socket.data(), std::min(url.socket.size(), sizeof path.sun_path - 1));
  sockaddr_in port{};
  port.sin_family = AF_INET;
  port.sin_port = htons(url.port);
  port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* address = local ? reinterpret_cast<const sockaddr*>(&path) : reinterpret_cast<const sockaddr*>(&port);
  const socklen_t size = local ? sizeof path : sizeof port;
  if (!connection.valid() || (::connect(connection.get(), address, size) != 0 && errno != EINPROGRESS)) {
    problem = errno_text("connect");
    return {};
  }
  return connection;
}

class PostCall final : public Call {
 public:
  PostCall(uv_loop_t* loop, const Hook& hook, const std::string& body, DoneCallback on_done) : Call(loop, std::move(on_done)) {
    start(loop, hook, body);
  }

 private:
  void start(uv_loop_t* loop, const Hook& hook, const std::string& body) {
    const auto& url = std::get<HookUrl>(hook.receiver);
    std::string problem;
    connection_ = open_connection(url, problem);
    if (!connection_.valid()) return end(problem);
    output_ = "POST " + url.target + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: rowhouse\r\nConnection: close\r\n" +
              "Content-Type: application/json\r\nRowhouse-Hook: " + hook.name +
              "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    poll_ = std::make_unique<Poll>(loop, connection_.get(), [this](int events) { on_ready(events); });
    poll_->watch(UV_READABLE | UV_WRITABLE);
  }

  void on_ready(int events) {
    if (!ended() && (events & UV_WRITABLE) != 0) write();
    if (!ended() && (events & UV_READABLE) != 0) read();
  }

  void write() {
    while (sent_ < output_.size()) {
      const ssize_t sent = ::send(connection_.get(), output_.data() + sent_, output_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) return finish(errno_text("send"));
      sent_ += static_cast<std::size_t>(sent);
    }
    poll_->watch(UV_READABLE);
  }

  void read() {
    std::array<char, kMaxAnswerBytes> room;
    const ssize_t got = ::recv(connection_.get(), room.data(), kMaxAnswerBytes - answer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return finish(errno_text("recv"));
    answer_.append(room.data(), static_cast<std::size_t>(got));
    const std::size_t line = answer_.find("\r\n");
    if (line != std::string::npos) return judge(answer_.substr(0, line));
    if (got == 0 || answer_.size() == kMaxAnswerBytes) finish("it does not answer in HTTP");
  }

  // Its status is all that counts; 2xx: it has taken the events.
  void judge(const std::string& line) {
    const bool http = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ';
    if (!http) return finish("it does not answer in HTTP");
    finish(line[9] == '2' ? "" : "it answered " + line.substr(9, 3));
  }

  void finish(std::string problem) {
    poll_->stop();
    end(std::move(problem));
  }

  UniqueFd connection_;
  std::string output_, answer_;
  std::size_t sent_ = 0;
  std::unique_ptr<Poll> poll_;
};

// Everything of a spawned program that is set before it runs.
class SpawnSettings {
 public:
  SpawnSettings(int input, int nowhere) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_adddup2(&files_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files_, nowhere, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, nowhere, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t usual, none;
    sigfillset(&usual);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &usual);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  int spawn(pid_t& pid, std::vector<std::string> arguments, std::vector<std::string> environment) {
    std::vector<char*> argument_pointers, variable_pointers;
    for (std::string& each : arguments) argument_pointers.push_back(each.data());
    for (std::string& each : environment) variable_pointers.push_back(each.data());
    argument_pointers.push_back(nullptr);
    variable_pointers.push_back(nullptr);
    return posix_spawn(&pid, argument_pointers[0], &files_, &attributes_, argument_pointers.data(), variable_pointers.data());
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

class ProgramCall final : public Call {
 public:
  ProgramCall(uv_loop_t* loop, const Hook& hook, const std::string& body, DoneCallback on_done) : Call(loop, std::move(on_done)) {
    start(loop, hook, body);
  }
  // Too late, or control ends: nothing of it stays.
  ~ProgramCall() override {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  void start(uv_loop_t* loop, const Hook& hook, const std::string& body) {
    auto input = create_sealed_memory("rowhouse-events", as_bytes(body));
    const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!input.ok() || !nowhere.valid()) return end("its input cannot be made");
    SpawnSettings settings(input.value().get(), nowhere.get());
    const int code = settings.spawn(pid_, std::get<HookProgram>(hook.receiver).arguments,
                                    {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "ROWHOUSE_HOOK=" + hook.name});
    if (code != 0) {
      pid_ = -1;
      return end(std::string("it cannot be started: ") + std::strerror(code));
    }
    process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process_.valid()) return end(errno_text("pidfd_open"));
    poll_ = std::make_unique<Poll>(loop, process_.get(), [this](int) { on_exit(); });
    poll_->watch(UV_READABLE);
  }

  void on_exit() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return;
    // What it has left in its group was started for it alone.
    ::kill(-pid_, SIGKILL);
    pid_ = -1;
    poll_->stop();
    if (WIFEXITED(status)) return end(WEXITSTATUS(status) == 0 ? "" : "it exited with " + std::to_string(WEXITSTATUS(status)));
    end("it was ended by signal " + std::to_string(WTERMSIG(status)));
  }

  pid_t pid_ = -1;
  UniqueFd process_;
  std::unique_ptr<Poll> poll_;
};

}  // namespace

std::unique_ptr<HookCall> HookCall::begin(uv_loop_t* loop, const Hook& hook, const std::string& body, DoneCallback on_done) {
  if (std::holds_alternative<HookUrl>(hook.receiver)) {
    return std::make_unique<PostCall>(loop, hook, body, std::move(on_done));
  }
  return std::make_unique<ProgramCall>(loop, hook, body, std::move(on_done));
}

}  // namespace rowhouse::control
