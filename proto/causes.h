// Cause codes: why a worker died or a request was refused.  Numbers and names are never changed and never
// reused; docs/causes.md has a sentence for each.
#pragma once

#include <cstdint>
#include <string_view>

namespace rowhouse::proto {

enum class Cause : std::uint16_t {
  kNone = 0,
  // deaths of workers and failures of starts
  kExit = 1,      // argument: exit status
  kSignal = 2,    // argument: signal number
  kOom = 3,
  kSeccomp = 4,   // argument: system call number
  kImport = 5,    // argument: StartStep
  kStartTimeout = 6,
  kRequestTimeout = 7,  // also a refusal (504)
  kIdle = 8,
  kMaxRequests = 9,
  kMaxMemory = 10,
  kRestart = 11,
  kConfig = 12,
  kSuspended = 13,  // also a refusal (503)
  kProtocol = 14,
  kSpawn = 15,      // argument: JailStep, 0 when the launcher failed before the jail, or minus the set of
                    // missing walls (proto::Wall) that isolation.strict does not accept
  kShutdown = 16,
  kKilled = 17,
  kUnconfined = 18,
  kHealth = 19,       // argument: HTTP status of the health check; 0: no answer in time
  kMaxLifetime = 20,
  kUnresponsive = 25,  // of a gateway
  // refusals of the gateway
  kBadRequest = 64,      // 400, 405, 417, 501, 505
  kNoRoute = 65,         // 404
  kClientTimeout = 66,   // 408
  kTooLarge = 67,        // 413, 414, 431
  kNoHost = 68,          // 421
  kRate = 69,            // 429
  kWorkerGone = 70,      // 502
  kBadResponse = 71,     // 502
  kQueueFull = 72,       // 503
  kQueueTimeout = 73,    // 503
  kBackoff = 74,         // 503
  kStopped = 75,         // 503
  kForbidden = 76,       // 403 and 404 of static files
  kAppError = 77,        // 500: the app raised before its answer began
  kFileMode = 86,        // 403: a static file that others may not read
  kFileOwner = 87,       // 403: a static file of somebody else
  kFileLinks = 88,       // 403: a static file with several hard links
  kSpool = 89,           // 503: the disk did not give back a request's body
  kConnections = 94,     // 503: the tenant has as many client connections as its plan allows
};

// "RH-EXIT"; "RH-NONE" for kNone and for numbers that are no cause.
[[nodiscard]] std::string_view cause_name(Cause cause);
[[nodiscard]] bool is_cause(std::uint16_t number);

// The step of a worker's start that failed: FAILED(step) on the lifeline, argument of kImport.
enum class StartStep : std::uint16_t {
  kNone = 0,
  kWorkerPart = 1,   // the worker part cannot be read
  kDirectory = 2,    // the app's directory cannot be entered
  kVirtualenv = 3,   // the virtualenv is missing, broken or of another Python version
  kInterpreter = 4,  // Python itself did not start
  kImportModule = 5, // importing the module or running the script file raised
  kCallable = 6,     // the module has no such name, or it is not callable
  kThreads = 7,      // threads could not be started
  kStartup = 8,      // the app's own startup failed (ASGI lifespan)
  kPreloadThreads = 9,  // preload: threads run after the import, which no fork would take along
};
inline constexpr StartStep last_value(StartStep) { return StartStep::kPreloadThreads; }
[[nodiscard]] std::string_view start_step_name(StartStep step);  // "import module"

}  // namespace rowhouse::proto
