// What a manifest says of apps that share a process: `share` and `gil`, and that its apps agree in what is the process's.
// Used by manifest_schema.
#pragma once

#include <span>
#include <vector>

#include "config/manifest_schema.h"
#include "config/map_reader.h"

namespace rowhouse::config {

// Reads both keys, when everything else of the app has been read.
void read_share(const MapReader& reader, App& app);

// Reports where the apps of a share do not fit together.
void check_shares(std::span<const App> apps, Diagnostics& diagnostics);

// The apps of the same share, itself included, in the order of their names; only the app itself when it has none, or is
// alone in it.
[[nodiscard]] std::vector<const App*> share_of(const App& app, std::span<const App> apps);

}  // namespace rowhouse::config
