// The values that numbers in configuration files may have, in one place; the reference pages quote them.
#pragma once

#include "config/quantities.h"
#include "proto/limits.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

inline constexpr Range kMemory{16 * kMebibyte, 16 * kTebibyte};  // of a plan and of an app
inline constexpr Range kCpuPercent{1, 100'000};                  // of one core
inline constexpr Range kPids{8, 65'536};
inline constexpr Range kWeight{1, proto::kMaxWeight};            // against the other tenants of the host
inline constexpr Range kIoRate{64 * kKibibyte, 16 * kTebibyte};  // bytes of each second
inline constexpr Range kWorkers{1, 1024};
inline constexpr Range kWorkersMin{0, 1024};
inline constexpr Range kThreads{1, proto::kMaxThreads};
inline constexpr Range kLoopConcurrency{1, proto::kMaxConcurrency};
inline constexpr Range kConcurrency{1, 65'536};
inline constexpr Range kQueue{1, 65'536};
inline constexpr Range kBody{kKibibyte, kTebibyte};
inline constexpr Range kGatewayProcesses{1, proto::kMaxGateways};
inline constexpr Range kPort{1, 65'535};
inline constexpr Range kConnectionsPerAddress{1, 1'000'000};
inline constexpr Range kRate{1, 1'000'000};  // requests of each second
inline constexpr Range kConnections{1, 1'000'000};
inline constexpr Range kBytesOut{16 * kKibibyte, 16 * kTebibyte};  // of each second
inline constexpr Range kMinCompressBytes{0, kMebibyte};
inline constexpr Range kUidMin{1, 4'294'967'293};

inline constexpr Range kStartupMs{100, 3'600'000};
inline constexpr Range kRequestMs{100, 86'400'000};
inline constexpr Range kQueueMs{10, 3'600'000};
inline constexpr Range kGracefulMs{10, 3'600'000};
inline constexpr Range kShutdownMs{10, 600'000};
inline constexpr Range kIdleMs{100, 86'400'000};
inline constexpr Range kHealthMs{100, 600'000};
inline constexpr Range kHealthIntervalMs{1'000, 3'600'000};
inline constexpr Range kMaxRequests{1, 1'000'000'000};
inline constexpr Range kMaxLifetimeMs{1'000, 31'536'000'000};  // a year

}  // namespace rowhouse::config
