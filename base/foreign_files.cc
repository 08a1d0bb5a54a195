#include "base/foreign_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rowhouse {
namespace {

constexpr int kSoPassRights = 83;  // asm-generic/socket.h of Linux 6.16
constexpr std::size_t kClosingStackBytes = 128 * 1024;

std::atomic<int> closing_threads{0};

void take_descriptors(msghdr& header, std::vector<UniqueFd>& descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
}

ssize_t receive(int socket, std::span<std::uint8_t> room, std::vector<UniqueFd>& descriptors) {
  iovec part{room.data(), room.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxForeignDescriptors)];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count >= 0 && header.msg_controllen > 0) take_descriptors(header, descriptors);
  return count;
}

// A socket that would linger is reset instead.
void close_all(std::vector<UniqueFd>& descriptors) {
  const linger at_once{1, 0};
  for (UniqueFd& each : descriptors) {
    ::setsockopt(each.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    each.reset();
  }
  descriptors.clear();
}

struct Remains {
  std::vector<UniqueFd> descriptors;
  UniqueFd socket;  // with unread bytes, or none
};

void dispose(Remains& remains) {
  close_all(remains.descriptors);
  std::uint8_t room[4096];
  while (remains.socket.valid() && receive(remains.socket.get(), room, remains.descriptors) > 0) {
    close_all(remains.descriptors);
  }
  remains.socket.reset();
}

void* closing_thread(void* argument) {
  const std::unique_ptr<Remains> remains(static_cast<Remains*>(argument));
  dispose(*remains);
  closing_threads.fetch_sub(1);
  return nullptr;
}

bool start_thread(Remains* remains) {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, kClosingStackBytes);
  // Signals are for the thread that has the loop.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const bool started = ::pthread_create(&thread, &attributes, closing_thread, remains) == 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  return started;
}

void close_apart(Remains remains) {
  auto owned = std::make_unique<Remains>(std::move(remains));
  if (closing_threads.fetch_add(1) < kMaxClosingThreads && start_thread(owned.get())) {
    [[maybe_unused]] Remains* const given = owned.release();
    return;
  }
  closing_threads.fetch_sub(1);
  dispose(*owned);
}

}  // namespace

void refuse_descriptors(int socket) {
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, kSoPassRights, &off, sizeof off);
}

Result<std::size_t> receive_bytes(int socket, std::span<std::uint8_t> room) {
  std::vector<UniqueFd> descriptors;
  const ssize_t count = receive(socket, room, descriptors);
  if (count < 0) return system_error("recvmsg");
  if (descriptors.empty()) return static_cast<std::size_t>(count);
  close_apart({std::move(descriptors), UniqueFd()});
  return make_error(ErrorCode::kInvalid, "descriptors");
}

bool is_quick_to_close(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && ::fcntl(fd, F_GET_SEALS) >= 0);
}

bool is_inotify(int fd) {
  char name[32];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), name, sizeof name);
  return size > 0 && std::string_view(name, static_cast<std::size_t>(size)) == "anon_inode:inotify";
}

void close_foreign_file(UniqueFd fd) {
  ForeignDescriptors descriptors;
  descriptors.push_back(std::move(fd));
}

ForeignDescriptors::~ForeignDescriptors() {
  std::erase_if(*this, [](const UniqueFd& fd) { return !fd.valid() || is_quick_to_close(fd.get()); });
  if (!empty()) close_apart({std::move(static_cast<std::vector<UniqueFd>&>(*this)), UniqueFd()});
}

void close_foreign_socket(UniqueFd socket) {
  if (!socket.valid()) return;
  ::shutdown(socket.get(), SHUT_RDWR);  // from here on nothing more arrives
  int unread = 0, type = 0;
  socklen_t size = sizeof type;
  // A message of no bytes may carry descriptors too, and is not counted.
  const bool counted =
      ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
  if (counted && ::ioctl(socket.get(), FIONREAD, &unread) == 0 && unread == 0) return;
  close_apart({{}, std::move(socket)});
}

}  // namespace rowhouse
