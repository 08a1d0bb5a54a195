// Opens what a manifest names below a tenant's home, as the tenant, so that no symbolic link, FIFO, device or
// rename of the tenant leads anywhere else or makes us wait (THREATS S01 to S04).  openat2(2) resolves; type
// and owner are asked of the descriptor, never of a name.
//
// SECURITY: the tests of the tenant's tricks are in tests/unit/config/test_safe_open.cc.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.h"
#include "config/parsed.h"

namespace rowhouse::config {

// The directory `path`, absolute, no component of which is a symbolic link, owned by `owner`.  O_PATH.
[[nodiscard]] Parsed<UniqueFd> open_home(const std::string& path, uid_t owner);

// The directory `path` below `home`.  O_PATH.
[[nodiscard]] Parsed<UniqueFd> open_directory_below(int home, const std::string& path);

// The same, which must be owned by `owner`.
[[nodiscard]] Parsed<UniqueFd> open_owned_directory_below(int home, const std::string& path, uid_t owner);

// The regular file `path` below `home`, for reading.  Opening never waits.
[[nodiscard]] Parsed<UniqueFd> open_file_below(int home, const std::string& path);

// Asks the descriptor; false also when it cannot be asked.
[[nodiscard]] bool is_regular_file(int fd);

}  // namespace rowhouse::config
