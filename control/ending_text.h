// Why something ended, in words: the detail that stands beside a cause code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/control_messages.h"

namespace rowhouse::control {

// Whether nobody has to be told of it as a failure: a restart, a stop, idleness ...
[[nodiscard]] bool is_planned_ending(proto::Cause cause);

// The cause's argument as a word: "1" of RH-EXIT, "SIGKILL" of RH-SIGNAL, "ptrace" of RH-SECCOMP,
// "import module" of RH-IMPORT, "capabilities" of RH-SPAWN; empty for causes without one.
[[nodiscard]] std::string ending_argument(proto::Cause cause, std::int32_t argument);

// The argument, and after a colon the last line of stderr where it explains the failure of a start
// (RH-IMPORT, RH-SPAWN).  Then what limits had to do with it: of RH-OOM always, and forks that a pids limit
// refused, which are likely to be the cause of what the app did next.
[[nodiscard]] std::string ending_detail(const proto::Ending& ending, std::string_view last_line);

// "128M", "1.5G": exact, or with one decimal of the next smaller unit.
[[nodiscard]] std::string size_text(std::uint64_t bytes);

// One sentence for people; empty for kNone.
[[nodiscard]] std::string_view cause_sentence(proto::Cause cause);

// Of a static file, for a reason that the tenant can mend.
[[nodiscard]] bool is_file_refusal(proto::Cause cause);

// "RH-SIGNAL SIGKILL".
[[nodiscard]] std::string code_and_detail(proto::Cause cause, std::string_view detail);

// The line that tells a death in the app's log.  Worker 0 stands for the sandbox.
[[nodiscard]] std::string death_line(std::uint32_t generation, std::uint32_t worker, proto::Cause cause,
                                     std::string_view detail);

// The names of the bits of proto::Wall: "landlock", "private-network" ...
[[nodiscard]] std::vector<std::string> missing_wall_names(std::uint32_t bits);

}  // namespace rowhouse::control
