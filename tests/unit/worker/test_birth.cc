// A process that a template has forked, up to its GO: the test is the supervisor and the template.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include "base/message_socket.h"
#include "worker/birth.h"

namespace rowhouse::worker {
namespace {

constexpr int kDeadlineMs = 20'000;
constexpr int kBorn = 21, kNotBorn = 22;

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
};

// Forks a process that is to be born; it says on its log in which session it is.
struct Forked {
  SocketPair lifeline = std::move(create_seqpacket_pair()).value();
  Pipe log, adopted;
  pid_t pid = -1;

  Forked() {
    pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid != 0) {
      lifeline.theirs.reset();
      log.write_end.reset();
      return;
    }
    ::alarm(60);
    adopted.write_end.reset();
    lifeline.ours.reset();
    Lifeline::TemplateOrder order;
    order.lifeline = std::move(lifeline.theirs);
    order.log = std::move(log.write_end);
    const bool born = be_born(order, adopted.read_end.get());
    if (born) ::dprintf(STDOUT_FILENO, "%s", ::getsid(0) == ::getpid() ? "leads" : "follows");
    ::_exit(born ? kBorn : kNotBorn);
  }
  ~Forked() {
    if (pid > 0) ::kill(pid, SIGKILL);
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  [[nodiscard]] bool says_born(int within_ms) {
    std::array<std::uint8_t, 64> buffer;
    const auto message = wait_for_message(lifeline.ours.get(), buffer, within_ms);
    if (!message.ok()) return false;
    const auto record = proto::decode_lifeline(ByteSpan(buffer).first(message.value().size));
    return record.ok() && record.value().type == proto::LifelineType::kBorn;
  }
  [[nodiscard]] int wait_status() {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    pid = -1;
    return WEXITSTATUS(status);
  }
};

}  // namespace

TEST_CASE("nothing is said before the process has its new parent, and GO lets it live in a session of its own") {
  Forked forked;
  CHECK_FALSE(forked.says_born(100));
  forked.adopted.write_end.reset();
  REQUIRE(forked.says_born(kDeadlineMs));
  REQUIRE(proto::send_lifeline(forked.lifeline.ours.get(), {proto::LifelineType::kGo, 0}).ok());
  CHECK(forked.wait_status() == kBorn);
  std::array<char, 16> text{};
  CHECK(::read(forked.log.read_end.get(), text.data(), text.size()) == 5);
  CHECK(std::string(text.data()) == "leads");
}

TEST_CASE("any other record than GO, or the end of the lifeline, ends it") {
  for (const bool says : {true, false}) {
    Forked forked;
    forked.adopted.write_end.reset();
    REQUIRE(forked.says_born(kDeadlineMs));
    if (says) REQUIRE(proto::send_lifeline(forked.lifeline.ours.get(), {proto::LifelineType::kDrain, 0}).ok());
    if (!says) forked.lifeline.ours.reset();
    CHECK(forked.wait_status() == kNotBorn);
  }
}

TEST_CASE("threads are counted as the kernel has them") {
  const unsigned before = count_threads().value();
  Pipe blocked;
  std::thread other([&] {
    char byte;
    static_cast<void>(::read(blocked.read_end.get(), &byte, 1));
  });
  CHECK(count_threads().value() == before + 1);
  blocked.write_end.reset();
  other.join();
}

TEST_CASE("a template takes FORK with two descriptors and DRAIN, and passes over everything else") {
  SocketPair pair = std::move(create_seqpacket_pair()).value();
  const int supervisor = pair.ours.get();
  Lifeline lifeline(std::move(pair.theirs));
  CHECK(lifeline.receive_template_order().error().code == ErrorCode::kWouldBlock);
  const int two[] = {STDIN_FILENO, STDOUT_FILENO};
  REQUIRE(proto::send_lifeline(supervisor, {proto::LifelineType::kFork, 7}, two).ok());
  const auto fork = lifeline.receive_template_order();
  REQUIRE((fork.ok() && fork.value().has_value()));
  CHECK(fork.value()->type == proto::LifelineType::kFork);
  CHECK((fork.value()->lifeline.valid() && fork.value()->log.valid()));
  REQUIRE(proto::send_lifeline(supervisor, {proto::LifelineType::kChannel, 0}, std::span(two, 1)).ok());
  const auto channel = lifeline.receive_template_order();
  CHECK((channel.ok() && !channel.value()));
  REQUIRE(send_message(supervisor, proto::encode_lifeline({proto::LifelineType::kFork, 7})).ok());
  const auto bare = lifeline.receive_template_order();
  CHECK((bare.ok() && !bare.value()));
  REQUIRE(proto::send_lifeline(supervisor, {proto::LifelineType::kDrain, 0}).ok());
  CHECK(lifeline.receive_template_order().value()->type == proto::LifelineType::kDrain);
  // A worker is no template.
  REQUIRE(proto::send_lifeline(supervisor, {proto::LifelineType::kFork, 7}, two).ok());
  const auto order = lifeline.receive();
  CHECK((order.ok() && !order.value()));
}

}  // namespace rowhouse::worker
