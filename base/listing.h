// The entries of a directory, for those who have its descriptor.
#pragma once

#include <dirent.h>

#include <memory>

namespace rowhouse {

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

// From the first entry on, with an offset of its own: the descriptor may be listed by others too, and stays the caller's
// (O_PATH will do).  Null with errno when it cannot be listed.  "." and ".." are among the entries.
Listing open_listing(int directory);

}  // namespace rowhouse
