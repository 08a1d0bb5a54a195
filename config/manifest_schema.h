// A manifest (rowhouse.yaml of a tenant): apps as the records that the supervisor is sent and the worker
// parts that it passes on.  Nothing here asks the file system; manifest_files.h does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "config/yaml_tree.h"
#include "proto/gateway_part.h"
#include "proto/loader_messages.h"
#include "proto/worker_part.h"

namespace rowhouse::config {

inline constexpr std::size_t kMaxEnvironment = 256;

// What the supervisor tells about the tenant; the manifest cannot.
struct ManifestOwner {
  std::string tenant;
  std::string user;
  std::string default_python;
};

// A path below the home, with the place where the manifest names it.
struct ManifestPath {
  std::string path;
  Position position;
};

struct StaticEntry {
  proto::Prefix prefix;
  ManifestPath directory;
};

// A page of the tenant's in place of ours.
struct PageEntry {
  std::uint16_t first_status = 0, last_status = 0;
  ManifestPath file;
};

struct App {
  proto::AppRecord record;
  std::vector<proto::RouteRecord> routes;
  std::vector<StaticEntry> statics;
  proto::GatewayPart gateway;    // without its pages
  std::vector<PageEntry> pages;
  proto::WorkerPart part;  // without its paths: home, directory, virtualenv and a script's module are empty
  ManifestPath script;     // empty for module:callable
  ManifestPath directory;
  ManifestPath virtualenv;  // empty: none
  bool reload_on_touch = false;
  std::vector<proto::TouchRecord> touches;  // of reload_on_touch: relative to the home
  std::string share;                        // empty: the app has its process to itself
  Position share_position;
  std::map<std::string, Position> process_positions;  // in a share: of the keys that are the process's
};

// The result is complete only when nothing was added to `diagnostics`.
[[nodiscard]] std::vector<App> read_manifest(const Node& root, const ManifestOwner& owner,
                                             Diagnostics& diagnostics);

}  // namespace rowhouse::config
