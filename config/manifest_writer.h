// Puts a manifest that came through the API into the tenant's home, as the tenant.
#pragma once

#include <string>

#include "config/diagnostics.h"

namespace rowhouse::config {

// Replaces the file `path` below `home` by `text` so that a crash leaves the old or the new one: staged beside it,
// fsync, rename, fsync of the directory.  A file keeps its mode, a new one is the owner's alone.  What goes wrong is
// reported.
//
// SECURITY: no component of the path is followed out of the home, and the process has the tenant's rights only
// (tests/unit/config/test_manifest_writer.cc).
void write_manifest(int home, const std::string& path, const std::string& text, Diagnostics& diagnostics);

}  // namespace rowhouse::config
