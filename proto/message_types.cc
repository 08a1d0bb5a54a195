#include "proto/message_types.h"

namespace rowhouse::proto {
namespace {

using enum MessageType;

bool loader_may_send(MessageType type) {
  return type >= kHostRecord && type <= kPortRecord;
}

bool steward_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kJailFailed || type == kStewardReady;
  return type == kSpawnFailed || type == kWorkerExited;
}

bool gateway_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kGatewayReady;
  return type == kAppCommitted || type == kSwitched || type == kWorkerFault || type == kPong;
}

bool control_may_send(Phase phase, MessageType type) {
  if (phase == Phase::kSetup) return type == kControlReady;
  return type == kQuery || type == kCommand || type == kReloadOrder || type == kPong;
}

// The supervisor is trusted by its peers; this catches mistakes of our own.
bool supervisor_may_send(MessageType type) {
  if (type == kJailPort) return true;
  if (type >= kJailMount && type <= kSpawn) return type != kJailFailed && type != kStewardReady;
  if (type >= kLoadHost && type <= kLoadManifest) return true;
  if (type >= kGatewaySetup && type <= kRetire) {
    return type != kGatewayReady && type != kAppCommitted && type != kSwitched && type != kWorkerFault;
  }
  if (type >= kControlSetup && type <= kAppNotice) {
    return type != kControlReady && type != kQuery && type != kCommand;
  }
  if (type >= kReloadChange && type <= kTenantUsage) return true;
  return type == kPing || type == kPong || type == kChild || type == kSupervisorReady;
}

}  // namespace

bool is_permitted(Peer from, Phase phase, MessageType type) {
  switch (from) {
    case Peer::kKeeper: return type == kChildExited || type == kShutdown || type == kReload;
    case Peer::kSupervisor: return supervisor_may_send(type);
    case Peer::kLoader: return loader_may_send(type);
    case Peer::kSteward: return steward_may_send(phase, type);
    case Peer::kGateway: return gateway_may_send(phase, type);
    case Peer::kControl: return control_may_send(phase, type);
  }
  return false;
}

}  // namespace rowhouse::proto
