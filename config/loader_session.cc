#include "config/loader_session.h"

#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "config/host_schema.h"
#include "config/manifest_files.h"
#include "config/manifest_watch.h"
#include "config/manifest_writer.h"
#include "config/paths.h"
#include "config/process_limits.h"
#include "config/record_sender.h"
#include "config/safe_open.h"
#include "config/share_schema.h"
#include "config/source_text.h"
#include "config/tenant_schema.h"
#include "proto/message.h"
#include "proto/tenant_messages.h"

namespace rowhouse::config {
namespace {

void send_network(const Network& network, RecordSender& sender) {
  sender.send(network.record);
  for (const auto& record : network.sockets) sender.send(record);
  for (const auto& record : network.ports) sender.send(record);
}

Status answer_host(const proto::LoadHost& request, int fd, int socket, const Users& users) {
  Diagnostics diagnostics;
  RecordSender sender(socket);
  HostFile file;
  if (const auto root = read_tree(fd, diagnostics)) file = read_host_file(*root, users, diagnostics);
  if (!diagnostics.empty()) {
    sender.refuse(diagnostics, request.path.view());
    return sender.status();
  }
  sender.send(file.host);
  send_network(file.network, sender);
  sender.send(file.gateway);
  for (const auto& record : file.trusted_proxies) sender.send(record);
  for (const auto& record : file.listeners) sender.send(record);
  for (const auto& record : file.admins) sender.send(record);
  for (const auto& record : file.pythons) sender.send(record);
  for (const PlanEntry& plan : file.plans) {
    sender.send(plan.record);
    if (plan.network) send_network(*plan.network, sender);
  }
  for (const auto& record : file.privileged_groups) sender.send(record);
  sender.finish();
  return sender.status();
}

// The bytes that are parsed, for the supervisor to keep unread.  Without memory for them they are not kept.
void send_source(const std::string& text, RecordSender& beside) {
  const Result<UniqueFd> memory = create_sealed_memory("source", as_bytes(text));
  if (memory.ok()) beside.send(proto::SourceText{}, {memory.value().get()});
}

Status answer_tenant(const proto::LoadTenant& request, int fd, int socket, const Users& users) {
  Diagnostics diagnostics;
  RecordSender sender(socket);
  TenantFile file;
  const auto text = read_source(fd, diagnostics);
  if (const auto root = text ? parse_yaml(*text, diagnostics) : std::nullopt) {
    file = read_tenant_file(*root, request.tenant.view(), users, diagnostics);
  }
  if (!diagnostics.empty()) {
    sender.refuse(diagnostics, request.path.view());
    return sender.status();
  }
  RecordSender beside(socket);
  send_source(*text, beside);
  sender.send(file.tenant);
  for (const auto& record : file.suspensions) sender.send(record);
  if (file.network) send_network(*file.network, sender);
  for (const auto& record : file.domains) sender.send(record);
  sender.finish();
  return sender.status();
}

// Opens the home; after a report its descriptor is invalid.
void open_home_of(const proto::LoadManifest& request, Home& home, Diagnostics& diagnostics) {
  const Parsed<std::string> path = parse_absolute_path(request.home.view());
  if (!path.ok()) return diagnostics.add({}, "the home " + path.problem());
  home.path = path.value();
  home.owner = ::geteuid();
  Parsed<UniqueFd> directory = open_home(home.path, home.owner);
  if (!directory.ok()) return diagnostics.add({}, "the home " + quote(home.path) + " " + directory.problem());
  home.directory = directory.take();
}

// The manifest opened, or an invalid descriptor after a report; opens `home` on the way.  `on_home` is called
// in between with the home and the manifest's path below it.
template <typename OnHome>
UniqueFd open_manifest(const proto::LoadManifest& request, Home& home, Diagnostics& diagnostics, OnHome on_home) {
  const Parsed<std::string> name = parse_relative_path(request.manifest.view());
  if (!name.ok()) diagnostics.add({}, "the manifest's path " + name.problem());
  if (name.ok()) open_home_of(request, home, diagnostics);
  if (!home.directory.valid()) return UniqueFd();
  on_home(home.directory.get(), name.value());
  Parsed<UniqueFd> manifest = open_file_below(home.directory.get(), name.value());
  if (manifest.ok()) return manifest.take();
  diagnostics.add({}, "the manifest " + manifest.problem());
  return UniqueFd();
}

void send_gateway_part(const App& app, RecordSender& sender, Diagnostics& diagnostics) {
  const Result<std::string> part = proto::encode_gateway_part(app.gateway);
  const Result<UniqueFd> memory = part.ok() ? create_sealed_memory("gateway-part", as_bytes(part.value()))
                                            : Result<UniqueFd>(part.error());
  if (memory.ok()) {
    sender.send(proto::GatewayPartRecord{}, {memory.value().get()});
  } else {
    diagnostics.add(app.directory.position, "the app's pages are too large together: " + describe(memory.error()));
  }
}

// The first app of a share brings the parts of all.
Result<std::string> encode_worker_part(const App& app, const std::vector<const App*>& share, const Home& home) {
  proto::WorkerPart part = complete_worker_part(app, home.path);
  if (share.front() == &app) {
    for (std::size_t i = 1; i < share.size(); ++i) part.others.push_back(complete_worker_part(*share[i], home.path));
  }
  return proto::encode_worker_part(part);
}

// Sends one app, unless something has been wrong with it or before it.
void send_app(const App& app, const std::vector<const App*>& share, const Home& home, RecordSender& sender,
              Diagnostics& diagnostics) {
  const std::vector<UniqueFd> statics = open_app_files(app, home, diagnostics);
  if (!diagnostics.empty()) return;
  const Result<std::string> part = encode_worker_part(app, share, home);
  const Result<UniqueFd> memory = part.ok() ? create_sealed_memory("worker-part", as_bytes(part.value()))
                                            : Result<UniqueFd>(part.error());
  if (!memory.ok()) {
    diagnostics.add(app.directory.position, "the app cannot be handed on: " + describe(memory.error()));
    return;
  }
  sender.send(app.record, {memory.value().get()});
  if (share.size() > 1) sender.send(proto::ShareRecord{proto::Name::cut(app.share)});
  for (const proto::RouteRecord& route : app.routes) sender.send(route);
  for (std::size_t i = 0; i < statics.size(); ++i) {
    sender.send(proto::StaticRecord{app.statics[i].prefix}, {statics[i].get()});
  }
  for (const proto::TouchRecord& touch : app.touches) sender.send(touch);
  send_gateway_part(app, sender, diagnostics);
}

// The records of a manifest, or what is wrong with it; without a text that has been reported already.
Status send_manifest(const proto::LoadManifest& request, const std::optional<std::string>& text, const Home& home,
                     int socket, Diagnostics& diagnostics) {
  RecordSender sender(socket);
  const auto root = text ? parse_yaml(*text, diagnostics) : std::nullopt;
  if (root) {
    const ManifestOwner owner{request.tenant.str(), request.user.str(), request.default_python.str()};
    std::vector<App> apps = read_manifest(*root, owner, diagnostics);
    for (App& app : apps) {
      read_page_files(app, home, diagnostics);
      send_app(app, share_of(app, apps), home, sender, diagnostics);
    }
  }
  if (diagnostics.empty()) {
    sender.finish();
  } else {
    sender.refuse(diagnostics, request.home.str() + "/" + request.manifest.str());
  }
  return sender.status();
}

Status answer_manifest(const proto::LoadManifest& request, int socket) {
  Diagnostics diagnostics;
  Home home;
  const UniqueFd file = open_manifest(request, home, diagnostics, [](int, const std::string&) {});
  const auto text = file.valid() ? read_source(file.get(), diagnostics) : std::nullopt;
  return send_manifest(request, text, home, socket, diagnostics);
}

// A manifest that is in force no longer as a file.
Status answer_kept_manifest(const proto::LoadKeptManifest& kept, int fd, int socket) {
  proto::LoadManifest request{kept.tenant, kept.user, kept.home, kept.manifest, kept.default_python};
  Diagnostics diagnostics;
  Home home;
  open_home_of(request, home, diagnostics);
  const auto text = home.directory.valid() ? read_source(fd, diagnostics) : std::nullopt;
  request.manifest = proto::Path::cut(request.manifest.str() + ", as it was accepted last");
  return send_manifest(request, text, home, socket, diagnostics);
}

// A manifest that the API brought.  The file is written before the answer, so that Loaded says it is durable.
Status answer_put(const proto::PutManifest& put, int fd, int socket) {
  const proto::LoadManifest request{put.tenant, put.user, put.home, put.manifest, put.default_python};
  Diagnostics diagnostics;
  Home home;
  const Parsed<std::string> path = parse_relative_path(request.manifest.view());
  if (!path.ok()) diagnostics.add({}, "the manifest's path " + path.problem());
  if (path.ok()) open_home_of(request, home, diagnostics);
  const auto text = home.directory.valid() ? read_source(fd, diagnostics) : std::nullopt;
  if (text && put.use == proto::ManifestUse::kWrite) {
    // Only what is good replaces the file; this process has nothing but the tenant's own rights.
    Diagnostics trial;
    if (const auto root = parse_yaml(*text, trial)) {
      const ManifestOwner owner{put.tenant.str(), put.user.str(), put.default_python.str()};
      [[maybe_unused]] const std::vector<App> apps = read_manifest(*root, owner, trial);
    }
    if (trial.empty()) write_manifest(home.directory.get(), path.value(), *text, diagnostics);
  }
  if (!diagnostics.empty()) {
    RecordSender sender(socket);
    sender.refuse(diagnostics, request.home.str() + "/" + request.manifest.str());
    return sender.status();
  }
  return send_manifest(request, text, home, socket, diagnostics);
}

Status answer_look(const proto::LookAtManifest& look, int socket) {
  const proto::LoadManifest request{look.tenant, look.user, look.home, look.manifest, look.default_python};
  Diagnostics diagnostics;
  Home home;
  RecordSender beside(socket);
  const UniqueFd file = open_manifest(request, home, diagnostics, [&](int directory, const std::string& manifest) {
    const UniqueFd watch = watch_manifest(directory, manifest);
    if (watch.valid()) beside.send(proto::ManifestWatch{}, {watch.get()});
  });
  const proto::FileIdentity identity = file.valid() ? identify_file(file.get()) : proto::FileIdentity{};
  beside.send(proto::ManifestIdentity{identity});
  if (identity != proto::FileIdentity{} && identity == look.known) {
    beside.send(proto::Unchanged{});
    return beside.status();
  }
  const auto text = file.valid() ? read_source(file.get(), diagnostics) : std::nullopt;
  if (text) send_source(*text, beside);
  RH_TRY(beside.status());
  return send_manifest(request, text, home, socket, diagnostics);
}

// One message from the supervisor: the permit table of the loader.
Status answer(const proto::IncomingMessage& incoming, int socket, const Users& users) {
  if (incoming.type == proto::MessageType::kLoadHost) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::LoadHost>(incoming));
    return answer_host(request, incoming.descriptors[0].get(), socket, users);
  }
  if (incoming.type == proto::MessageType::kLoadTenant) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::LoadTenant>(incoming));
    return answer_tenant(request, incoming.descriptors[0].get(), socket, users);
  }
  if (incoming.type == proto::MessageType::kLoadManifest) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::LoadManifest>(incoming));
    return answer_manifest(request, socket);
  }
  if (incoming.type == proto::MessageType::kLookAtManifest) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::LookAtManifest>(incoming));
    return answer_look(request, socket);
  }
  if (incoming.type == proto::MessageType::kLoadKeptManifest) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::LoadKeptManifest>(incoming));
    return answer_kept_manifest(request, incoming.descriptors[0].get(), socket);
  }
  if (incoming.type == proto::MessageType::kPutManifest) {
    RH_ASSIGN(const auto request, proto::decode_message<proto::PutManifest>(incoming));
    return answer_put(request, incoming.descriptors[0].get(), socket);
  }
  return make_error(ErrorCode::kInvalid, "unexpected message from the supervisor");
}

}  // namespace

int run_loader_session(int socket, const Users& users) {
  for (;;) {
    const auto incoming = proto::wait_for_control(socket, -1);
    if (!incoming.ok() && incoming.error().code == ErrorCode::kClosed) return 0;
    Status status = renew_cpu_allowance();
    if (status.ok())
      status = incoming.ok() ? answer(incoming.value(), socket, users) : Status(incoming.error());
    if (status.ok()) continue;
    log_error("loader-ends", {{"error", status.error()}});
    return 1;
  }
}

}  // namespace rowhouse::config
