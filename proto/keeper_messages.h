// Between the keeper and the supervisor.  The keeper is the parent of every process (CLONE_PARENT) and the
// only one that can reap; the supervisor names each child by a number of its own.
#pragma once

#include "proto/message.h"

namespace rowhouse::proto {

// supervisor -> keeper, with the child's pidfd: reap it when it ends.
struct Child {
  static constexpr MessageType kType = MessageType::kChild;
  static constexpr std::size_t kDescriptors = 1;
  std::uint64_t child = 0;
  std::uint32_t pid = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.child, m.pid); }
};

// keeper -> supervisor: the child was reaped; si_code and si_status of waitid(2).
struct ChildExited {
  static constexpr MessageType kType = MessageType::kChildExited;
  static constexpr std::size_t kDescriptors = 0;
  std::uint64_t child = 0;
  std::int32_t code = 0;    // CLD_EXITED, CLD_KILLED or CLD_DUMPED
  std::int32_t status = 0;  // exit status or signal number
  static constexpr void fields(auto& m, auto& visit) { visit(m.child, m.code, m.status); }
};

// keeper -> supervisor: stop everything and exit 0.
struct Shutdown {
  static constexpr MessageType kType = MessageType::kShutdown;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// keeper -> supervisor: SIGHUP came; read the host file again.
struct Reload {
  static constexpr MessageType kType = MessageType::kReload;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> keeper: listeners are open and every app has been looked at.
struct SupervisorReady {
  static constexpr MessageType kType = MessageType::kSupervisorReady;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

}  // namespace rowhouse::proto
