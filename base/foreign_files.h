// Descriptors that a stranger attaches to its bytes where none belong.  Closing the last reference of a file
// takes as long as the one who made it likes: a socket that lingers, an unlinked file of a terabyte.  So they
// are kept out where the kernel can do that, and else closed in a thread of their own, never in a loop that
// others wait for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse {

// How many threads close foreign files at a time; beyond them it is done at once, by the caller.
inline constexpr int kMaxClosingThreads = 16;

// From now on sendmsg of the peer of `socket` fails with EPERM when descriptors are attached (SO_PASSRIGHTS,
// Linux 6.16).  An older kernel ignores it, which is why the others below exist.
void refuse_descriptors(int socket);

// The most that one message can carry (SCM_MAX_FD of the kernel): with less room the kernel would close the
// rest itself, inside our recvmsg.
inline constexpr std::size_t kMaxForeignDescriptors = 253;

// Descriptors that came from a peer.  Those that nobody has moved out are closed apart.
class ForeignDescriptors : public std::vector<UniqueFd> {
 public:
  ForeignDescriptors() = default;
  ForeignDescriptors(ForeignDescriptors&&) = default;
  ForeignDescriptors& operator=(ForeignDescriptors&&) = default;
  ~ForeignDescriptors();
};

// True for what takes no time to close, whoever made it: a directory, and a memory file (memfd_create(2)).
[[nodiscard]] bool is_quick_to_close(int fd);

// True for a descriptor of inotify(7), as the kernel names it.
[[nodiscard]] bool is_inotify(int fd);
// Closes a descriptor that a stranger made, apart where it could take long.
void close_foreign_file(UniqueFd fd);

// Bytes of a connected UNIX stream socket, without waiting: 0 at its end, kWouldBlock when there are none.
// kInvalid when descriptors came along; they are closed apart and the bytes are lost.
Result<std::size_t> receive_bytes(int socket, std::span<std::uint8_t> room);

// Ends a connected UNIX socket in both directions and closes it; descriptors among what was not read
// are closed apart.
void close_foreign_socket(UniqueFd socket);

}  // namespace rowhouse
