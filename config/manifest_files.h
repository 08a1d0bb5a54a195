// What a manifest says about the tenant's files, compared with the files, as the tenant: what an app needs
// exists, and the static directories are opened for the gateways.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "config/diagnostics.h"
#include "config/manifest_schema.h"

namespace rowhouse::config {

// The home of a tenant, opened.
struct Home {
  std::string path;  // absolute
  UniqueFd directory;
  uid_t owner = 0;
};

// Reads the app's error pages into its gateway part; reports what is missing or too large.
void read_page_files(App& app, const Home& home, Diagnostics& diagnostics);

// Reports what is missing or not what it should be.  The descriptors are those of app.statics, in its order;
// fewer when something was reported.
[[nodiscard]] std::vector<UniqueFd> open_app_files(const App& app, const Home& home,
                                                   Diagnostics& diagnostics);

// The worker part with its absolute paths.
[[nodiscard]] proto::WorkerPart complete_worker_part(const App& app, const std::string& home);

}  // namespace rowhouse::config
