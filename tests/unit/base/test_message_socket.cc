// Messages with descriptors: nothing is lost silently, nothing leaks.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "base/message_socket.h"

namespace rowhouse {
namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// What a stranger sent is closed in a thread of its own: some time, but soon.
bool settles_at_most(std::size_t descriptors) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (open_descriptors() > descriptors) {  // fewer: those of a test before it are closed by now
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

ino_t inode_of(int fd) {
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

struct Fixture {
  SocketPair pair = create_seqpacket_pair().value();
  std::array<std::uint8_t, 64> buffer{};
  int ours() const { return pair.ours.get(); }
  int theirs() const { return pair.theirs.get(); }
};

TEST_CASE_FIXTURE(Fixture, "messages keep their boundaries") {
  REQUIRE(send_message(ours(), as_bytes("one")).ok());
  REQUIRE(send_message(ours(), as_bytes("three")).ok());
  CHECK(receive_message(theirs(), buffer).value().size == 3);
  CHECK(receive_message(theirs(), buffer).value().size == 5);
}

TEST_CASE_FIXTURE(Fixture, "descriptors arrive close-on-exec, in order, as the same file") {
  const UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd second(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const int both[] = {first.get(), second.get()};
  REQUIRE(send_message(ours(), as_bytes("x"), both).ok());
  const auto message = receive_message(theirs(), buffer);
  REQUIRE(message.ok());
  REQUIRE(message.value().descriptors.size() == 2);
  CHECK(inode_of(message.value().descriptors[0].get()) == inode_of(first.get()));
  CHECK(inode_of(message.value().descriptors[1].get()) == inode_of(second.get()));
  for (const UniqueFd& fd : message.value().descriptors) {
    CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "a message longer than the buffer is refused, and its descriptors are closed") {
  const std::size_t before = open_descriptors();
  const int descriptor = STDIN_FILENO;
  REQUIRE(send_message(ours(), as_bytes(std::string(65, 'x')), {&descriptor, 1}).ok());
  CHECK(receive_message(theirs(), buffer).error().code == ErrorCode::kTooLarge);
  CHECK(settles_at_most(before));
}

// What send_message refuses to send, a hostile peer sends all the same.
void send_raw(int socket, std::size_t descriptors) {
  std::vector<int> numbers(descriptors, STDIN_FILENO);
  std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors));
  char byte = 'x';
  iovec part{&byte, 1};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
  std::copy(numbers.begin(), numbers.end(), reinterpret_cast<int*>(CMSG_DATA(rights)));
  REQUIRE(::sendmsg(socket, &header, 0) == 1);
}

TEST_CASE_FIXTURE(Fixture, "more descriptors than any message has are refused and closed, however many") {
  const std::size_t before = open_descriptors();
  for (const std::size_t count : {kMaxMessageDescriptors + 1, 2 * kMaxMessageDescriptors, std::size_t{253}}) {
    CAPTURE(count);
    send_raw(ours(), count);
    CHECK(receive_message(theirs(), buffer).error().code == ErrorCode::kTooLarge);
    CHECK(settles_at_most(before));
  }
  send_raw(ours(), kMaxMessageDescriptors);
  CHECK(receive_message(theirs(), buffer).value().descriptors.size() == kMaxMessageDescriptors);
}

TEST_CASE_FIXTURE(Fixture, "more descriptors than the cap are not sent") {
  const std::array<int, kMaxMessageDescriptors + 1> many{};
  CHECK(send_message(ours(), as_bytes("x"), many).error().code == ErrorCode::kTooLarge);
}

TEST_CASE_FIXTURE(Fixture, "credentials are the kernel's when asked for, and absent otherwise") {
  REQUIRE(send_message(ours(), as_bytes("x")).ok());
  CHECK_FALSE(receive_message(theirs(), buffer).value().credentials.has_value());
  const int on = 1;
  REQUIRE(::setsockopt(theirs(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  REQUIRE(send_message(ours(), as_bytes("x")).ok());
  const auto message = receive_message(theirs(), buffer);
  REQUIRE(message.value().credentials.has_value());
  CHECK(message.value().credentials->pid == ::getpid());
  CHECK(message.value().credentials->uid == ::getuid());
}

TEST_CASE_FIXTURE(Fixture, "a peer that has gone is told apart from one that is silent") {
  REQUIRE(set_nonblocking(theirs()).ok());
  CHECK(receive_message(theirs(), buffer).error().code == ErrorCode::kWouldBlock);
  CHECK(wait_for_message(theirs(), buffer, 1).error().code == ErrorCode::kWouldBlock);
  pair.ours.reset();
  CHECK(receive_message(theirs(), buffer).error().code == ErrorCode::kClosed);
  CHECK(send_message(theirs(), as_bytes("x")).error().code == ErrorCode::kClosed);
}

TEST_CASE_FIXTURE(Fixture, "what a peer said last arrives also when it went with our message unread") {
  REQUIRE(send_message(ours(), as_bytes("unread")).ok());
  REQUIRE(send_message(theirs(), as_bytes("last word")).ok());
  pair.theirs.reset();
  const auto message = receive_message(ours(), buffer);
  REQUIRE(message.ok());
  CHECK(as_text(ByteSpan(buffer).first(message.value().size)) == "last word");
  CHECK(receive_message(ours(), buffer).error().code == ErrorCode::kClosed);
}

TEST_CASE_FIXTURE(Fixture, "a send never blocks on a peer that does not read") {
  Status last;
  std::size_t sent = 0;
  for (; last.ok() && sent < 100'000; ++sent) last = send_message(ours(), as_bytes("x"));
  REQUIRE_FALSE(last.ok());
  CHECK(last.error().code == ErrorCode::kWouldBlock);
}

TEST_CASE_FIXTURE(Fixture, "waiting finds a message that is there already, also on a non-blocking socket") {
  REQUIRE(set_nonblocking(theirs()).ok());
  REQUIRE(send_message(ours(), as_bytes("abc")).ok());
  CHECK(wait_for_message(theirs(), buffer, 1000).value().size == 3);
}

TEST_CASE("both kinds of pair are close-on-exec and connected") {
  for (auto* create : {&create_seqpacket_pair, &create_stream_pair}) {
    const auto pair = create();
    REQUIRE(pair.ok());
    CHECK((::fcntl(pair.value().ours.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(pair.value().theirs.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(send_message(pair.value().ours.get(), as_bytes("x")).ok());
  }
}

}  // namespace
}  // namespace rowhouse
