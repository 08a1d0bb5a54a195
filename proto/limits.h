// Every cap and reserved value of both protocols in one place: PROTOCOL.request.md and PROTOCOL.control.md
// quote these numbers, and a test compares them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rowhouse::proto {

// --- request protocol (gateway <-> worker) --------------------------------------------------------------
inline constexpr std::uint16_t kRequestProtocolVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::size_t kMaxFramePayloadBytes = 96 * 1024;  // the largest head: line, path, 64 KiB fields
inline constexpr std::size_t kMaxDataBytes = 32 * 1024;          // of one BODY or DATA frame
inline constexpr std::uint32_t kStreamWindowBytes = 256 * 1024;  // credit at the start of a stream, both ways
inline constexpr std::uint32_t kMaxWindowBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxFields = 100;         // header fields of one head
inline constexpr std::size_t kMaxFieldBytes = 16 * 1024;  // name and value of one field
inline constexpr std::size_t kMaxHeadBytes = 64 * 1024;   // all fields of one head
inline constexpr std::size_t kMaxTargetBytes = 8 * 1024;
inline constexpr std::size_t kMaxReasonBytes = 128;
inline constexpr std::size_t kMaxPrefetch = 16;        // streams beyond its threads that a worker must accept
inline constexpr std::uint32_t kMaxThreads = 256;      // of one worker
inline constexpr std::uint32_t kMaxConcurrency = 1024;  // streams of one worker that runs an event loop

// --- control protocol (supervisor <-> keeper, loader, steward, gateway, control) -------------------------
inline constexpr std::uint16_t kControlProtocolVersion = 1;
inline constexpr std::size_t kMessageHeaderBytes = 4;
inline constexpr std::size_t kMaxMessageBytes = 8 * 1024;
inline constexpr std::size_t kLifelineRecordBytes = 16;

inline constexpr std::size_t kMaxNameBytes = 63;    // tenants, apps, plans, users
inline constexpr std::size_t kMaxHostBytes = 253;   // RFC 1035 2.3.4 without the root dot
inline constexpr std::size_t kMaxPrefixBytes = 255; // of a route or static prefix
inline constexpr std::size_t kMaxPathBytes = 1023;  // directories in configuration
inline constexpr std::size_t kMaxErrorTextBytes = 4096;
inline constexpr std::size_t kMaxReasonOfSuspensionBytes = 200;
inline constexpr std::size_t kMaxWorkerPartBytes = 256 * 1024;
inline constexpr std::size_t kMaxGatewayPartBytes = 256 * 1024;

// --- the host --------------------------------------------------------------------------------------------
inline constexpr std::uint32_t kMaxGateways = 16;
inline constexpr std::uint32_t kMaxApps = 16384;
inline constexpr std::uint32_t kMaxWorkers = 65536;
inline constexpr std::uint32_t kMaxRoutesPerApp = 64;
inline constexpr std::uint32_t kMaxStaticsPerApp = 16;
inline constexpr std::size_t kMaxErrorPages = 16;        // of one app
inline constexpr std::size_t kMaxCompressTypes = 32;     // of one app
inline constexpr std::uint32_t kMaxAppsPerTenant = 64;
inline constexpr std::uint32_t kMaxAppsPerShare = 8;  // in one worker (manifest: share)
inline constexpr std::uint32_t kMaxTouchPathsPerApp = 4;  // files whose change restarts an app
inline constexpr std::uint32_t kMaxTouchPaths = kMaxTouchPathsPerApp * kMaxAppsPerShare;  // of one sandbox
inline constexpr std::uint32_t kMaxDomainsPerTenant = 1500;
inline constexpr std::uint32_t kMaxSocketsPerNetwork = 4;  // UNIX sockets of the host that a sandbox may see
inline constexpr std::uint32_t kMaxPortsPerNetwork = 32;   // TCP ports that it may connect to
inline constexpr std::uint32_t kMaxReloadChanges = 4096;  // told of one reload; the others are counted
inline constexpr std::uint32_t kMaxKept = 524288;          // descriptors in the keeper's store
inline constexpr std::uint32_t kAdoptionSeconds = 5;       // a new program of the supervisor has to take over
inline constexpr std::size_t kMaxConfigurationBytes = 64 * 1024;  // one YAML file (THREATS S03)

}  // namespace rowhouse::proto
