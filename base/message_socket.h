// Messages with descriptors over AF_UNIX sockets: the one place that calls sendmsg and recvmsg with
// ancillary data.  Truncation of bytes or too many descriptors are an error; descriptors that nobody takes are
// closed as foreign_files.h says (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/foreign_files.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse {

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

// Close-on-exec pairs.  The seqpacket pair keeps message boundaries; both ends block unless made non-blocking.
Result<SocketPair> create_seqpacket_pair();
Result<SocketPair> create_stream_pair();

Status set_nonblocking(int fd);

// The most descriptors that any message of ours carries.
inline constexpr std::size_t kMaxMessageDescriptors = 8;

struct ReceivedMessage {
  std::size_t size = 0;               // bytes in the caller's buffer
  ForeignDescriptors descriptors;     // close-on-exec, at most kMaxMessageDescriptors
  std::optional<ucred> credentials;   // present when SO_PASSCRED is set on the receiver
};

// Sends one message without blocking.  kWouldBlock when the peer does not read, kClosed when it has gone.
// The descriptors stay the caller's.
Status send_message(int socket, ByteSpan bytes, std::span<const int> descriptors = {});

// Receives one message without blocking unless the socket blocks.  kClosed at end of file, kWouldBlock when
// there is none, kTooLarge when bytes or descriptors were truncated.
Result<ReceivedMessage> receive_message(int socket, std::span<std::uint8_t> buffer);

// Like receive_message, but leaves the message where it is; drop_message takes it away.
Result<ReceivedMessage> peek_message(int socket, std::span<std::uint8_t> buffer);
void drop_message(int socket);

// Like receive_message, but waits for a message also on a non-blocking socket.
Result<ReceivedMessage> wait_for_message(int socket, std::span<std::uint8_t> buffer, int timeout_ms);

}  // namespace rowhouse
