#include "proto/message_types.h"

namespace rowhouse::proto {
namespace {

using enum MessageType;

bool loader_may_send(MessageType type) {
  if (type == kSuspensionRecord || type == kSourceText || type == kTouchRecord || type == kShareRecord) return true;
  return (type >= kHostRecord && type <= kUnchanged) || (type >= kGatewayPartRecord && type <= kTrustedProxyRecord);
}

bool steward_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kJailFailed || type == kStewardReady;
  return type == kSpawnFailed || type == kWorkerExited || type == kStewardWorker || type == kTouched ||
         type == kResynced;
}

bool gateway_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kGatewayReady;
  return type == kAppCommitted || type == kSwitched || type == kWorkerFault || type == kAppWanted ||
         type == kProbed || type == kPong || type == kGatewayApp || type == kGatewayWorker || type == kResynced;
}

bool control_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kControlReady;
  if ((type >= kTenantDraft && type <= kTenantRemoval) || type == kTenantQuery || type == kManifestOrder) return true;
  return type == kQuery || type == kCommand || type == kReloadOrder || type == kReloadTenantOrder ||
         type == kUpgradeOrder || type == kDeathStored || type == kPong || type == kResynced;
}

bool keeper_may_send(MessageType type) {
  return type == kPing || type == kChild || type == kChildExited || type == kShutdown || type == kReload ||
         type == kKeep || type == kFetched || type == kUpgraded;
}

// To the keeper alone.
bool supervisor_may_ask_keeper(MessageType type) {
  return type == kChild || type == kSupervisorReady ||
         (type >= kKeep && type <= kUpgrade && type != kFetched);
}

// The supervisor is trusted by its peers; this catches mistakes of our own.
bool supervisor_may_send(MessageType type) {
  if (supervisor_may_ask_keeper(type)) return true;
  if (type == kJailPort || type == kReap || type == kSpawnTemplate || type == kJailWatch) return true;
  if (type == kAppPart || type == kAppRetry || type == kHostDeath || type == kTenantSuspension || type == kLoadKeptManifest) return true;
  if (type >= kGatewayOptions && type <= kListenerGone) return true;
  if (type >= kJailMount && type <= kSpawn) return type != kJailFailed && type != kStewardReady;
  if ((type >= kLoadHost && type <= kLoadManifest) || type == kLookAtManifest) return true;
  if (type >= kGatewaySetup && type <= kRetire) {
    return type != kGatewayReady && type != kAppCommitted && type != kSwitched && type != kWorkerFault;
  }
  if (type == kProbe || type == kWorkerLeaving) return true;
  if (type >= kControlSetup && type <= kAppNotice) {
    return type != kControlReady && type != kQuery && type != kCommand;
  }
  if ((type >= kReloadChange && type <= kTenantUsage) || type == kTenantChange) return true;
  if (type == kUpgradeDone || type == kControlRetire || type == kAppTraffic || type == kUsageDirectory) return true;
  if (type == kPutManifest || type == kTenantWritten) return true;
  if (type >= kTenantDetail && type <= kTenantQueryEnd) return true;
  return type == kPing || type == kPong || type == kResync;
}

}  // namespace

bool is_permitted(Peer from, Phase phase, MessageType type) {
  switch (from) {
    case Peer::kKeeper: return keeper_may_send(type);
    case Peer::kSupervisor: return supervisor_may_send(type);
    case Peer::kLoader: return loader_may_send(type);
    case Peer::kSteward: return steward_may_send(phase, type);
    case Peer::kGateway: return gateway_may_send(phase, type);
    case Peer::kControl: return control_may_send(phase, type);
  }
  return false;
}

}  // namespace rowhouse::proto
