// Watching a manifest as the tenant: an inotify descriptor that becomes readable when the file or its name may have
// changed, and the identity of what was read.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "proto/live_messages.h"

namespace rowhouse::config {

// Made before the file is read, so that no change falls between.  Invalid where the kernel refuses one: the
// supervisor then looks again from time to time.  `home` is an open directory, `manifest` a path below it.
[[nodiscard]] UniqueFd watch_manifest(int home, const std::string& manifest);
// All 0 when the file was changed so shortly ago that its times do not tell this state from the next.
[[nodiscard]] proto::FileIdentity identify_file(int fd);

}  // namespace rowhouse::config
