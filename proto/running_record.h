// The running record: which request was in a worker when that worker was lost, or answered for being over its time.
// A gateway tells it rowhouse-control on the socket of the access records, never blocking.  Layout: u16 version (2,
// which tells it from an access record), the numbers in the order of the struct, then text16 in its order; texts
// are cut to 256 bytes by the sender.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace rowhouse::proto {

inline constexpr std::size_t kMaxRunningTextBytes = 256;

enum class RunningPhase : std::uint8_t {
  kSent = 0,      // to the worker; whether the app has seen it is not known
  kStarted = 1,   // the app had begun
  kAnswered = 2,  // its answer had begun
};
inline constexpr RunningPhase last_value(RunningPhase) { return RunningPhase::kAnswered; }

struct RunningRecord {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  RunningPhase phase = RunningPhase::kSent;
  bool client_gone = false;
  std::int64_t at_ms = 0;  // when the head was complete, since 1970-01-01T00:00:00Z
  std::uint32_t running_ms = 0;
  std::string_view method, path, host, request_id;
};

// Writes the record into `out` (cleared first).
void encode_running_record(std::string& out, const RunningRecord& record);
// The texts are borrowed from `bytes`.
[[nodiscard]] Result<RunningRecord> parse_running_record(ByteSpan bytes);
// Whether a message of the socket is one, and not an access record.
[[nodiscard]] bool is_running_record(ByteSpan bytes);

}  // namespace rowhouse::proto
