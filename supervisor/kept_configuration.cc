#include "supervisor/kept_configuration.h"

#include <array>

#include "proto/control_messages.h"
#include "proto/frames.h"

namespace rowhouse::supervisor {
namespace {

using proto::IncomingMessage;
using proto::MessageType;

template <proto::ControlMessage M>
void append(std::string& out, const M& message) {
  std::array<std::uint8_t, proto::wire_size<M>()> room;
  const ByteSpan bytes = proto::encode_message(message, room);
  proto::append_integer(out, static_cast<std::uint16_t>(bytes.size()));
  out += as_text(bytes);
}

void append_network(std::string& out, const std::optional<NetworkAccess>& network) {
  if (!network) return;
  append(out, proto::NetworkRecord{network->mode});
  for (const std::string& path : network->sockets) append(out, proto::SocketRecord{proto::Path::cut(path)});
  for (const std::uint16_t port : network->ports) append(out, proto::PortRecord{port});
}

// Nothing when the bytes are no sequence of messages.
std::optional<std::vector<IncomingMessage>> split(ByteSpan bytes) {
  std::vector<IncomingMessage> messages;
  ByteReader reader(bytes);
  while (reader.ok() && reader.remaining() > 0) {
    const ByteSpan part = reader.bytes(reader.u16());
    ByteReader header(part);
    IncomingMessage message;
    message.type = static_cast<MessageType>(header.u16());
    if (!header.ok()) return std::nullopt;
    message.bytes.assign(part.begin(), part.end());
    messages.push_back(std::move(message));
  }
  if (!reader.done()) return std::nullopt;
  return messages;
}

}  // namespace

std::string encode_host(const HostConfiguration& host) {
  std::string out;
  append(out, host.host);
  append_network(out, host.network);
  for (const proto::ListenRecord& listen : host.listen) append(out, listen);
  append(out, host.gateway);
  for (const proto::TrustedProxyRecord& proxy : host.trusted_proxies) append(out, proxy);
  for (const std::uint32_t uid : host.admins) append(out, proto::AdminRecord{uid});
  for (const std::string& version : host.pythons) append(out, proto::PythonRecord{proto::Text<15>::cut(version)});
  for (const auto& [gid, name] : host.privileged_groups) {
    append(out, proto::PrivilegedGroupRecord{gid, proto::Name::cut(name)});
  }
  for (const auto& [name, plan] : host.plans) {
    append(out, plan);
    const auto network = host.plan_networks.find(name);
    if (network != host.plan_networks.end()) append_network(out, network->second);
  }
  return out;
}

std::optional<HostConfiguration> decode_host(ByteSpan bytes) {
  const auto records = split(bytes);
  if (!records) return std::nullopt;
  auto host = read_host_records(*records);
  if (auto* accepted = std::get_if<HostConfiguration>(&host)) return std::move(*accepted);
  return std::nullopt;
}

std::string encode_tenant(const TenantEntry& tenant) {
  std::string out;
  append(out, proto::TenantInfo{proto::Name::cut(tenant.name), tenant.uid});
  proto::TenantRecord record;
  record.user = proto::Name::cut(tenant.user);
  record.uid = tenant.uid;
  record.gid = tenant.gid;
  record.home = proto::Path::cut(tenant.home);
  record.plan = proto::Name::cut(tenant.plan);
  record.manifest = proto::Path::cut(tenant.manifest);
  append(out, record);
  for (const auto& [app, reason] : tenant.suspensions) {
    append(out, proto::SuspensionRecord{proto::Name::cut(app), proto::SuspensionReason::cut(reason)});
  }
  append_network(out, tenant.network);
  for (const Domain& domain : tenant.domains) {
    append(out, proto::DomainRecord{proto::Host::cut(domain.host), domain.wildcard});
  }
  return out;
}

std::optional<TenantEntry> decode_tenant(ByteSpan bytes, const HostConfiguration& host,
                                         const TenantIndex& accepted) {
  auto records = split(bytes);
  if (!records || records->empty()) return std::nullopt;
  const auto info = proto::decode_message<proto::TenantInfo>(records->front());
  if (!info.ok()) return std::nullopt;
  records->erase(records->begin());
  auto tenant = read_tenant_records(info.value().tenant.str(), *records, host, accepted);
  if (auto* entry = std::get_if<TenantEntry>(&tenant)) return std::move(*entry);
  return std::nullopt;
}

std::string encode_app(const AppSpec& spec) {
  std::string out;
  for (const AppFront* front : spec.fronts()) {
    append(out, front->settings);
    for (const Route& route : front->routes) {
      append(out, proto::RouteRecord{proto::Host::cut(route.host), proto::Prefix::cut(route.prefix)});
    }
    for (const StaticDirectory& directory : front->statics) {
      append(out, proto::StaticRecord{proto::Prefix::cut(directory.prefix)});
    }
  }
  for (const std::string& path : spec.touches) append(out, proto::TouchRecord{proto::Path::cut(path)});
  return out;
}

std::optional<AppSpec> decode_app(ByteSpan bytes) {
  const auto records = split(bytes);
  if (!records || records->empty() || records->front().type != MessageType::kAppRecord) return std::nullopt;
  AppSpec spec;
  AppFront* front = nullptr;
  for (const IncomingMessage& message : *records) {
    const ByteSpan record = message.bytes;
    if (message.type == MessageType::kAppRecord) {
      if (front != nullptr && spec.others.size() + 1 >= proto::kMaxAppsPerShare) return std::nullopt;
      front = front == nullptr ? &spec : &spec.others.emplace_back();
      const auto settings = proto::decode_message<proto::AppRecord>(record);
      if (!settings.ok() || !is_name(settings.value().name.view())) return std::nullopt;
      front->settings = settings.value();
    } else if (message.type == MessageType::kRouteRecord) {
      const auto route = proto::decode_message<proto::RouteRecord>(record);
      if (!route.ok() || front->routes.size() >= proto::kMaxRoutesPerApp) return std::nullopt;
      front->routes.push_back({route.value().host.str(), route.value().prefix.str()});
    } else if (message.type == MessageType::kTouchRecord) {
      const auto touch = proto::decode_message<proto::TouchRecord>(record);
      if (!touch.ok() || spec.touches.size() >= proto::kMaxTouchPaths) return std::nullopt;
      spec.touches.push_back(touch.value().path.str());
    } else {
      const auto directory = proto::decode_message<proto::StaticRecord>(record);
      if (!directory.ok() || front->statics.size() >= proto::kMaxStaticsPerApp) return std::nullopt;
      front->statics.push_back({directory.value().prefix.str(), UniqueFd()});
    }
  }
  return spec;
}

}  // namespace rowhouse::supervisor
