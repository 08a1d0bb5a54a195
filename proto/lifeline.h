// The lifeline: a seqpacket pair between one worker and the supervisor with records of exactly 16 bytes:
// u16 type, u16 version (1), u32 number, u64 zero.  The worker's end is descriptor 3 of the worker.
//
//   worker -> supervisor   BORN      sent by the steward's or the template's child before anything of the tenant runs
//                                    for this worker; the
//                                    supervisor takes the pid from SCM_CREDENTIALS, never from the record
//                          READY     number: Python version, major << 8 | minor; bit 16: the app is ASGI, the worker
//                                    runs many requests on one event loop; bits 17 to 23: the further apps of a share
//                          FAILED    number: StartStep; the worker exits with status 1 after it
//                          SECCOMP   number: system call; the worker dies of SIGSYS after it
//                          DRAINED   no stream is left; the worker exits with status 0 after it
//   supervisor -> worker   GO        exec the worker program
//                          CHANNEL   number: gateway index, and in bits 16 to 18 for which app of a share; one
//                                    descriptor: the channel (stream socket)
//                          LOG       to a worker of a share, after GO; number: which app, 1 the second; one descriptor: the
//                                    write end of its log pipe
//                          FORK      to a template only; number: the new worker's; two descriptors: its lifeline and
//                                    the write end of its log pipe
//                          DRAIN     stop taking requests: send DRAIN on every channel, finish, DRAINED
//
// SECURITY: the supervisor accepts each record only in the state that awaits it; the first valid one counts
// and everything else is ignored (THREATS S10, test_lifeline.cc).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/message_socket.h"
#include "base/result.h"
#include "proto/limits.h"

namespace rowhouse::proto {

enum class LifelineType : std::uint16_t {
  kBorn = 1,
  kReady = 2,
  kFailed = 3,
  kSeccomp = 4,
  kDrained = 5,
  kGo = 16,
  kChannel = 17,
  kDrain = 18,
  kFork = 19,
  kLog = 20,
};

struct LifelineRecord {
  LifelineType type{};
  std::uint32_t number = 0;
};

using LifelineBytes = std::array<std::uint8_t, kLifelineRecordBytes>;

[[nodiscard]] LifelineBytes encode_lifeline(const LifelineRecord& record);
// kInvalid unless the bytes are one record with a known type, version 1 and a zero tail.
[[nodiscard]] Result<LifelineRecord> decode_lifeline(ByteSpan bytes);

// Sends without blocking; kChannel and kLog need exactly one descriptor, kFork two, everything else none.
Status send_lifeline(int socket, const LifelineRecord& record, std::span<const int> descriptors = {});

// Makes a worker write the Python stacks of all its threads to its log, from inside a signal handler, so also
// when Python itself is stuck.  A real-time signal that nothing else uses (SIGRTMIN + 6 with glibc); registered
// before the app is imported, so only a worker that said READY is sure to survive it.
inline constexpr int kStacksSignal = 40;

// Of the first app of a worker; of the next one shifted by one, and so on.
inline constexpr std::uint32_t kReadyAsgi = 1U << 16;
// In CHANNEL's number, above the gateway's.
inline constexpr unsigned kChannelAppShift = 16;

// The descriptor that a worker finds its lifeline at, and its worker part (worker_part.h).
inline constexpr int kWorkerLifelineFd = 3;
inline constexpr int kWorkerPartFd = 4;
// Where the worker program is inside the sandbox.
inline constexpr const char* kWorkerPathInSandbox = "/.rowhouse/worker";
// The argument after its name that makes a worker program a template: it imports the app, forks a worker for each
// FORK, and runs no request itself.
inline constexpr const char* kTemplateArgument = "template";
// The descriptor of the control socket of every other program we start.
inline constexpr int kControlFd = 3;
// Of a gateway: an empty directory.
inline constexpr int kGatewayRootFd = 4;

}  // namespace rowhouse::proto
