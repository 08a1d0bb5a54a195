// The access record: what a gateway tells rowhouse-control about one answered request, one message on a
// non-blocking seqpacket socket.  A record that does not fit the socket is dropped and counted; the next one
// that is sent carries the count.  Layout: u16 version (3), the numbers in the order of the struct, then
// text16 in its order; texts are cut to 1,024 bytes by the sender.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/causes.h"

namespace rowhouse::proto {

inline constexpr std::size_t kMaxAccessTextBytes = 1024;
inline constexpr std::size_t kMaxAccessRecordBytes = 8 * 1024;

// How control writes the line: the app's choice.
enum class AccessFormat : std::uint8_t { kCombined = 0, kJson = 1 };
inline constexpr AccessFormat last_value(AccessFormat) { return AccessFormat::kJson; }

inline constexpr std::uint32_t kUnknownUs = 0xffff'ffff;

struct AccessRecord {
  std::uint32_t app = 0;          // 0: no route
  std::uint16_t status = 0;       // as sent to the client; 0: the client went before a head was sent
  Cause cause = Cause::kNone;     // of a refusal or a truncated response
  bool client_aborted = false;    // the client went before the response was complete
  std::int64_t at_ms = 0;         // when the head was complete, since 1970-01-01T00:00:00Z
  std::uint64_t bytes_in = 0;     // request body
  std::uint64_t bytes_out = 0;    // response body
  std::uint32_t gateway_us = 0;   // head complete -> in the queue
  std::uint32_t queue_us = 0;     // in the queue -> sent to a worker
  std::uint32_t app_us = 0;       // sent to a worker -> END
  std::uint32_t total_us = 0;     // head complete -> last byte given to the kernel
  std::uint32_t cpu_us = kUnknownUs;       // of the app's time, by the worker's own word
  std::uint32_t gil_wait_us = kUnknownUs;  // likewise
  std::uint64_t error_id = 0;     // of the Rowhouse-Error field; 0: none
  std::uint64_t dropped = 0;      // records lost before this one
  std::string_view method, target, host, remote_address, referer, user_agent, request_id;
  std::uint8_t version = 11;      // 10 or 11
  AccessFormat format = AccessFormat::kCombined;
};

// Writes the record into `out` (cleared first).
void encode_access_record(std::string& out, const AccessRecord& record);
// The texts are borrowed from `bytes`.
[[nodiscard]] Result<AccessRecord> parse_access_record(ByteSpan bytes);

}  // namespace rowhouse::proto
