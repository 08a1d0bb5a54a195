// Descriptors on a channel, where none belong.  The pair is an ordinary one, as on a kernel that cannot
// refuse them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/foreign_files.h"
#include "base/message_socket.h"
#include "gateway/channel.h"

using namespace rowhouse;
using namespace rowhouse::gateway;

namespace {

constexpr int kLingerS = 5;
constexpr auto kAtOnce = std::chrono::seconds(1);

struct Owner final : ChannelListener {
  std::optional<ChannelEnd> end;
  void on_channel_room() override {}
  void on_stream_closed(std::optional<std::uint16_t>) override {}
  void on_stream_given_up() override {}
  void on_given_up_time_over(const Stream&) override {}
  void on_given_up_lost(const Stream&) override {}
  void on_channel_end(ChannelEnd how) override { end = how; }
};

struct Bench {
  SystemClock clock;
  Loop loop;
  Workbench bench{loop.get(), clock};
  Owner owner;
  UniqueFd worker;
  std::unique_ptr<Channel> channel;

  Bench() {
    auto pair = create_stream_pair();
    REQUIRE(pair.ok());
    worker = std::move(pair.value().ours);
    channel = std::make_unique<Channel>(bench, std::move(pair.value().theirs), 4, owner);
  }
  std::chrono::nanoseconds turn() {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) uv_run(loop.get(), UV_RUN_NOWAIT);
    bench.turn.finish();
    return std::chrono::steady_clock::now() - began;
  }
};

// A connection whose last close waits: its other end does not read, and it lingers.
struct SlowToClose {
  UniqueFd slow, other;

  SlowToClose() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 4096;
    REQUIRE(::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    slow.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(slow.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    other.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const linger waits{1, kLingerS};
    REQUIRE(::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &waits, sizeof waits) == 0);
    const std::vector<char> bytes(65536, 'x');
    while (::send(slow.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
  }
  // The only reference of it that is left goes to the peer of `socket`.
  void give_to(const UniqueFd& socket) {
    const std::uint8_t byte = 0;
    const int descriptor = slow.get();
    REQUIRE(send_message(socket.get(), {&byte, 1}, std::span(&descriptor, 1)).ok());
    slow.reset();
  }
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

bool comes_down_to(std::size_t count) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (open_descriptors() > count) {
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a descriptor on a channel ends it, and its slow close holds nobody up") {
  Bench bench;
  bench.turn();
  const std::size_t before = open_descriptors();
  {
    SlowToClose file;
    file.give_to(bench.worker);
    CHECK(bench.turn() < kAtOnce);
    CHECK(bench.owner.end == ChannelEnd::kViolated);
    CHECK(describe(bench.channel->violation()) == "descriptors: invalid");
  }
  CHECK(comes_down_to(before - 1));  // the channel's own
}

TEST_CASE("a descriptor behind a bad frame is closed as carefully") {
  Bench bench;
  bench.turn();
  const std::size_t before = open_descriptors();
  {
    SlowToClose file;
    const std::string bad(12, '\xa5');
    REQUIRE(send_message(bench.worker.get(), as_bytes(bad)).ok());
    file.give_to(bench.worker);
    CHECK(bench.turn() < kAtOnce);
    CHECK(bench.owner.end == ChannelEnd::kViolated);
  }
  CHECK(comes_down_to(before - 1));
}

TEST_CASE("as many descriptors as one message can carry are all closed") {
  Bench bench;
  bench.turn();
  const std::size_t before = open_descriptors();
  std::vector<int> many(253, STDIN_FILENO);
  std::uint8_t byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(253 * sizeof(int));
  std::memcpy(CMSG_DATA(rights), many.data(), many.size() * sizeof(int));
  REQUIRE(::sendmsg(bench.worker.get(), &header, 0) == 1);
  bench.turn();
  CHECK(bench.owner.end == ChannelEnd::kViolated);
  CHECK(comes_down_to(before - 1));
}

TEST_CASE("a socket that refuses descriptors gets none, where the kernel can do that") {
  auto pair = create_stream_pair();
  REQUIRE(pair.ok());
  refuse_descriptors(pair.value().ours.get());
  const std::uint8_t byte = 0;
  const int descriptor = STDIN_FILENO;
  const Status sent = send_message(pair.value().theirs.get(), {&byte, 1}, std::span(&descriptor, 1));
  if (!sent.ok()) CHECK(sent.error().system_errno == EPERM);
  const bool kernel_refuses =
      ::setsockopt(pair.value().ours.get(), SOL_SOCKET, 83, &descriptor, sizeof descriptor) == 0;
  CHECK(sent.ok() != kernel_refuses);
}
