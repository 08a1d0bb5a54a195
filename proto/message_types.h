// The numbers of all control messages, and which of them may come from whom in which phase.  Anything that
// the permit table does not name ends the peer that sent it.  0 is reserved; gaps are free for later messages.
#pragma once

#include <cstdint>

#include "proto/causes.h"

namespace rowhouse::proto {

enum class MessageType : std::uint16_t {
  kPing = 1,
  kPong = 2,
  kResync = 3,
  kResynced = 4,
  // supervisor <-> keeper
  kChild = 16,
  kChildExited = 17,
  kShutdown = 18,
  kSupervisorReady = 19,
  kReload = 21,
  kKeep = 22,
  kDiscard = 23,
  kFetch = 24,
  kFetched = 25,
  kExitSeen = 26,
  kAdopted = 27,
  kUpgrade = 28,
  kUpgraded = 29,
  // supervisor <-> loader
  kLoadHost = 32,
  kLoadTenant = 33,
  kLoadManifest = 34,
  kHostRecord = 35,
  kListenRecord = 36,
  kAdminRecord = 37,
  kPythonRecord = 38,
  kPlanRecord = 39,
  kTenantRecord = 40,
  kDomainRecord = 41,
  kAppRecord = 42,
  kRouteRecord = 43,
  kStaticRecord = 44,
  kLoaded = 45,
  kLoadError = 46,
  kPrivilegedGroupRecord = 47,
  kNetworkRecord = 48,
  kSocketRecord = 49,
  kPortRecord = 50,
  kManifestIdentity = 51,
  kManifestWatch = 52,
  kUnchanged = 53,
  kLookAtManifest = 54,
  kGatewayPartRecord = 60,
  kGatewayRecord = 61,
  kTrustedProxyRecord = 62,
  // supervisor <-> jail and steward
  kJailMount = 64,
  kJailSetup = 65,
  kJailFailed = 66,
  kStewardReady = 67,
  kSpawn = 68,
  kSpawnFailed = 69,
  kWorkerExited = 70,
  kJailPort = 71,
  kStewardWorker = 72,
  // supervisor <-> gateway
  kGatewaySetup = 80,
  kListener = 81,
  kGatewayReady = 82,
  kAppBegin = 83,
  kAppRoute = 84,
  kAppStatic = 85,
  kAppCommit = 86,
  kAppCommitted = 87,
  kAppRemove = 88,
  kAppCondition = 89,
  kWorkerAdd = 90,
  kWorkerGone = 91,
  kSwitch = 92,
  kSwitched = 93,
  kWorkerFault = 94,
  kRetire = 95,
  kGatewayApp = 96,
  kGatewayWorker = 97,
  kAppWanted = 99,
  kProbe = 100,
  kProbed = 101,
  kWorkerLeaving = 102,
  kAppPart = 111,
  kAppRetry = 108,
  // supervisor <-> control
  kControlSetup = 112,
  kControlReady = 113,
  kControlAdmin = 114,
  kTenantInfo = 115,
  kTenantProblem = 116,
  kLogSource = 117,
  kAccessSource = 118,
  kDeath = 119,
  kQuery = 120,
  kAppInfo = 121,
  kWorkerInfo = 122,
  kQueryEnd = 123,
  kCommand = 124,
  kCommandDone = 125,
  kAppNotice = 126,
  kReloadOrder = 128,
  kReloadChange = 129,
  kReloadDone = 130,
  kAppUsage = 131,
  kTenantUsage = 132,
  kUpgradeOrder = 133,
  kUpgradeDone = 134,
  kControlRetire = 135,
  kReloadTenantOrder = 137,
  kTenantChange = 138,
  // supervisor <-> gateway, continued
  kGatewayOptions = 152,
  kAcmeDirectory = 153,
  kTrustedProxy = 154,
  kSpoolDirectory = 155,
  kDeathStored = 143,
  kHostDeath = 144,
};

enum class Peer : std::uint8_t { kKeeper, kSupervisor, kLoader, kSteward, kGateway, kControl };

// Setup: from the start of the peer until its first "ready".  Running: after it.
enum class Phase : std::uint8_t { kSetup, kRunning };

// What `from` may send in `phase`.  The receiver ends a peer that sends anything else.
[[nodiscard]] bool is_permitted(Peer from, Phase phase, MessageType type);

}  // namespace rowhouse::proto
