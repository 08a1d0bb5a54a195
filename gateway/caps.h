// The gateway's own caps and times in one place.  Those that both ends of a protocol know are in
// proto/limits.h, those of a request head in head_rules.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace rowhouse::gateway {

// --- clients ---------------------------------------------------------------------------------------------
inline constexpr Duration kPrefaceTime = std::chrono::seconds(1);    // a whole PROXY header
inline constexpr Duration kHeadTime = std::chrono::seconds(10);      // first byte, and from it a whole head
inline constexpr Duration kIdleTime = std::chrono::seconds(65);      // between requests
inline constexpr Duration kRetiringIdleTime =
    std::chrono::seconds(1);  // the same while the gateway leaves: a request may be on its way
inline constexpr Duration kBodyIdleTime = std::chrono::seconds(20);  // no byte of a request body that is due
inline constexpr Duration kBodyGraceTime = std::chrono::seconds(10);  // that a worker waits for any body ...
inline constexpr std::uint64_t kMinBodyRate = 256;  // ... and then a second for so many bytes that came
inline constexpr Duration kMaxBodyWaitTime =
    std::chrono::minutes(5);  // that a worker waits for a body in all
inline constexpr Duration kWriteIdleTime =
    std::chrono::seconds(30);                                        // the client takes no byte of its answer
inline constexpr Duration kTunnelIdleTime = std::chrono::minutes(5);  // no byte either way in a tunnel
inline constexpr Duration kLingerTime = std::chrono::seconds(5);     // discarding what a refused client sends
inline constexpr Duration kHalfCloseTime = std::chrono::seconds(1);  // a client that sends no more
inline constexpr std::uint32_t kMaxRequestsPerConnection = 1000;
inline constexpr std::size_t kInputHighWaterBytes = 64 * 1024;  // received and not yet used: stop reading
inline constexpr std::uint64_t kMaxDrainBytes = 64 * 1024;      // of an unread body, to keep the connection
inline constexpr std::uint64_t kMaxLingerBytes = 64 * 1024 * 1024;
inline constexpr std::size_t kKeptBufferBytes = 8 * 1024;  // capacity that an idle connection may keep
inline constexpr std::size_t kReadsAfterError = 32;        // of what a broken connection still holds
inline constexpr int kAcceptsPerEvent = 4;                 // leaves some for the other gateways
inline constexpr int kMaxFinalAccepts = 8192;              // of a listener that goes: all that wait, and no flood
inline constexpr std::size_t kFileReadBytes = 64 * 1024;   // a static file up to here leaves with its head
inline constexpr std::size_t kFileSendBytes = 512 * 1024;  // of one file in one turn of the loop
inline constexpr Duration kFileTime = std::chrono::seconds(30);  // that a disk may take to open a file

// --- chunked bodies (RFC 9112 7.1) -----------------------------------------------------------------------
inline constexpr std::size_t kMaxChunkSizeDigits = 16;
inline constexpr std::size_t kMaxChunkExtensionBytes = 256;      // of one line
inline constexpr std::size_t kMaxBodyExtensionBytes = 4 * 1024;  // of one body
inline constexpr std::size_t kMaxTrailerBytes = 4 * 1024;
inline constexpr std::uint64_t kMaxChunkOverhead = 10;  // framing bytes for each byte of body ...
inline constexpr std::uint64_t kFreeChunkOverheadBytes = 64 * 1024;  // ... beyond these

// --- bodies that are kept before a worker is occupied with them -------------------------------------------
inline constexpr std::size_t kBodyMemoryBytes = 64 * 1024;  // of one body; the rest in a file
inline constexpr std::uint64_t kMaxBodyMemoryOfTenant = 32 * 1024 * 1024;    // in this gateway; beyond these two a
inline constexpr std::uint64_t kMaxBodyDiskOfTenant = 1024 * 1024 * 1024;    // body goes to a worker as it comes

// --- answers that slow clients have not taken yet (the caps of a tenant above count them, too) --------------
inline constexpr std::size_t kAnswerMemoryBytes = 256 * 1024;  // of one answer beside the socket's output; twice while
                                                               // the disk is slow, and a stream's window at most beyond
inline constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024 * 1024;  // of one answer; then the client sets the pace
inline constexpr std::size_t kOutputLowBytes = 64 * 1024;   // unsent: what was kept may follow
inline constexpr std::size_t kAnswerPartBytes = 64 * 1024;  // of it at once

// --- workers ---------------------------------------------------------------------------------------------
inline constexpr std::size_t kReceiveBufferBytes = 256 * 1024;  // the one buffer that everything is read into
inline constexpr std::size_t kChannelHighWaterBytes = 256 * 1024;   // unsent: no more requests and bodies
inline constexpr std::size_t kMaxBatchBytes = 64 * 1024;            // unsent: no more prefetch
inline constexpr std::size_t kMaxReplayBytes = 256 * 1024;          // body kept until the app has started
inline constexpr std::uint32_t kCreditStepBytes = 64 * 1024;        // smallest CREDIT
inline constexpr std::size_t kMinClientsToFill = 4;                  // one client gets this part of all places
inline constexpr Duration kCrowdLogPeriod = std::chrono::seconds(10);
inline constexpr Duration kFrameTime = std::chrono::seconds(5);     // HELLO, or the rest of a frame
inline constexpr Duration kDyingTime = std::chrono::seconds(5);     // of a worker whose channel has ended
inline constexpr std::size_t kMaxFinalReadBytes = 4 * 1024 * 1024;  // from the channel of a dead worker
inline constexpr Duration kWantedPeriod = std::chrono::seconds(1);  // of AppWanted, while requests wait
inline constexpr std::size_t kMaxProbes = 64;  // of one app at a time
inline constexpr std::uint32_t kMaxMoves = 8;                       // of one request from draining workers
inline constexpr Duration kServiceWindow = std::chrono::milliseconds(100);
inline constexpr Duration kRecheckTime =
    std::chrono::milliseconds(4);  // for room that another gateway gave up

// --- the supervisor --------------------------------------------------------------------------------------
inline constexpr std::size_t kMessagesPerEvent = 64;
inline constexpr std::size_t kMaxUnsentMessages = 131072;  // all that a gateway can know, said after a Resync

// --- the process -----------------------------------------------------------------------------------------
inline constexpr std::size_t kMinReservedDescriptors =
    64;  // for channels and files, and an eighth of the limit

// Held for what the supervisor sends while strangers have all the others: channels of new workers, roots of new
// manifests, listeners.
inline constexpr std::size_t kSpareDescriptors = 64;

}  // namespace rowhouse::gateway
