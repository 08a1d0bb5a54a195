#include "base/listing.h"

#include <fcntl.h>

namespace rowhouse {

Listing open_listing(int directory) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return {copy < 0 ? nullptr : ::fdopendir(copy), ::closedir};
}

}  // namespace rowhouse
