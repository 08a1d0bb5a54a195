#include "proto/causes.h"

namespace rowhouse::proto {

std::string_view cause_name(Cause cause) {
  switch (cause) {
    case Cause::kNone: return "RH-NONE";
    case Cause::kExit: return "RH-EXIT";
    case Cause::kSignal: return "RH-SIGNAL";
    case Cause::kOom: return "RH-OOM";
    case Cause::kSeccomp: return "RH-SECCOMP";
    case Cause::kImport: return "RH-IMPORT";
    case Cause::kStartTimeout: return "RH-START-TIMEOUT";
    case Cause::kRequestTimeout: return "RH-REQUEST-TIMEOUT";
    case Cause::kIdle: return "RH-IDLE";
    case Cause::kMaxRequests: return "RH-MAX-REQUESTS";
    case Cause::kMaxMemory: return "RH-MAX-MEMORY";
    case Cause::kRestart: return "RH-RESTART";
    case Cause::kConfig: return "RH-CONFIG";
    case Cause::kSuspended: return "RH-SUSPENDED";
    case Cause::kProtocol: return "RH-PROTOCOL";
    case Cause::kSpawn: return "RH-SPAWN";
    case Cause::kShutdown: return "RH-SHUTDOWN";
    case Cause::kKilled: return "RH-KILLED";
    case Cause::kUnconfined: return "RH-UNCONFINED";
    case Cause::kHealth: return "RH-HEALTH";
    case Cause::kMaxLifetime: return "RH-MAX-LIFETIME";
    case Cause::kUnresponsive: return "RH-UNRESPONSIVE";
    case Cause::kBadRequest: return "RH-BAD-REQUEST";
    case Cause::kNoRoute: return "RH-NO-ROUTE";
    case Cause::kClientTimeout: return "RH-CLIENT-TIMEOUT";
    case Cause::kTooLarge: return "RH-TOO-LARGE";
    case Cause::kNoHost: return "RH-NO-HOST";
    case Cause::kRate: return "RH-RATE";
    case Cause::kWorkerGone: return "RH-WORKER-GONE";
    case Cause::kBadResponse: return "RH-BAD-RESPONSE";
    case Cause::kQueueFull: return "RH-QUEUE-FULL";
    case Cause::kQueueTimeout: return "RH-QUEUE-TIMEOUT";
    case Cause::kBackoff: return "RH-BACKOFF";
    case Cause::kStopped: return "RH-STOPPED";
    case Cause::kForbidden: return "RH-FORBIDDEN";
    case Cause::kAppError: return "RH-APP-ERROR";
    case Cause::kFileMode: return "RH-FILE-MODE";
    case Cause::kFileOwner: return "RH-FILE-OWNER";
    case Cause::kFileLinks: return "RH-FILE-LINKS";
    case Cause::kSpool: return "RH-SPOOL";
    case Cause::kConnections: return "RH-CONNECTIONS";
  }
  return "RH-NONE";
}

bool is_cause(std::uint16_t number) {
  return number == 0 || cause_name(static_cast<Cause>(number)) != cause_name(Cause::kNone);
}

std::string_view start_step_name(StartStep step) {
  switch (step) {
    case StartStep::kNone: return "none";
    case StartStep::kWorkerPart: return "read worker part";
    case StartStep::kDirectory: return "enter directory";
    case StartStep::kVirtualenv: return "check virtualenv";
    case StartStep::kInterpreter: return "start Python";
    case StartStep::kImportModule: return "import module";
    case StartStep::kCallable: return "find callable";
    case StartStep::kThreads: return "start threads";
    case StartStep::kStartup: return "start the app";
    case StartStep::kPreloadThreads: return "preload without threads";
  }
  return "unknown";
}

}  // namespace rowhouse::proto
