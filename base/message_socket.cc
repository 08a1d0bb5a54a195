#include "base/message_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/un.h>

#include <cstring>
#include <utility>

namespace rowhouse {
namespace {

constexpr std::size_t kSentControlBytes = CMSG_SPACE(sizeof(int) * kMaxMessageDescriptors);
constexpr std::size_t kReceivedControlBytes =
    CMSG_SPACE(sizeof(int) * kMaxForeignDescriptors) + CMSG_SPACE(sizeof(ucred));

Result<SocketPair> create_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return system_error("socketpair");
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void take_control_data(msghdr& header, ReceivedMessage& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
        message.descriptors.emplace_back(fd);
      }
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
      message.credentials = credentials;
    }
  }
}

}  // namespace

Result<SocketPair> create_seqpacket_pair() { return create_pair(SOCK_SEQPACKET); }
Result<SocketPair> create_stream_pair() { return create_pair(SOCK_STREAM); }

Status set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return system_error("fcntl O_NONBLOCK");
  return {};
}

Status send_message(int socket, ByteSpan bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kMaxMessageDescriptors) {
    return make_error(ErrorCode::kTooLarge, "sendmsg descriptors");
  }
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[kSentControlBytes] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  if (errno == EPIPE || errno == ECONNRESET) return make_error(ErrorCode::kClosed, "sendmsg");
  return system_error("sendmsg");
}

namespace {

Result<ReceivedMessage> receive(int socket, std::span<std::uint8_t> buffer, int flags) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[kReceivedControlBytes];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t received = -1;
  // A peer that went with our messages unread leaves ECONNRESET once, before what it had sent itself.
  bool reset_seen = false;
  do {
    received = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
  } while (received < 0 && (errno == EINTR || (errno == ECONNRESET && !std::exchange(reset_seen, true))));
  if (received < 0) {
    if (errno == ECONNRESET) return make_error(ErrorCode::kClosed, "recvmsg");
    return system_error("recvmsg");
  }
  ReceivedMessage message;
  message.size = static_cast<std::size_t>(received);
  take_control_data(header, message);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || message.descriptors.size() > kMaxMessageDescriptors) {
    return make_error(ErrorCode::kTooLarge, "recvmsg truncated");
  }
  if (received == 0) return make_error(ErrorCode::kClosed, "recvmsg");
  return message;
}

}  // namespace

Result<ReceivedMessage> receive_message(int socket, std::span<std::uint8_t> buffer) {
  return receive(socket, buffer, 0);
}

Result<ReceivedMessage> peek_message(int socket, std::span<std::uint8_t> buffer) {
  return receive(socket, buffer, MSG_PEEK);
}

void drop_message(int socket) {
  std::uint8_t byte = 0;
  [[maybe_unused]] const auto dropped = receive(socket, {&byte, 1}, MSG_DONTWAIT);
}

Result<ReceivedMessage> wait_for_message(int socket, std::span<std::uint8_t> buffer, int timeout_ms) {
  pollfd waiting{socket, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return system_error("poll");
  if (ready == 0) return make_error(ErrorCode::kWouldBlock, "poll");
  return receive_message(socket, buffer);
}

}  // namespace rowhouse
