// A tenant's static files, served without a worker.  Files are opened so that no symbolic link, hard link,
// mount or race can serve what the tenant itself could not read and mean: the root directory is a descriptor
// that was opened as the tenant, the kernel resolves below it without links (openat2(2)), and the file must
// be a regular one of the tenant with one link.  The gateway's own user must be able to read it: mode o+r,
// directories o+x.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/unique_fd.h"
#include "gateway/encodings.h"
#include "gateway/mime.h"
#include "proto/causes.h"

namespace rowhouse::gateway {

enum class AfterAnswer : std::uint8_t { kKeepAlive, kClose };

struct StaticFile {
  UniqueFd file;  // O_NONBLOCK, at offset 0
  std::uint64_t size = 0;
  std::int64_t modified_s = 0;        // since 1970-01-01T00:00:00Z
  std::string etag;                   // strong, with its quotes
  std::string_view content_type;      // borrowed from the MimeTypes
  Coding coding = Coding::kIdentity;  // it is the file of this name and ".gz" or ".br"
  bool varies = false;                // another client could get another coding
};

struct StaticRefusal {
  std::uint16_t status = 404;  // 403: the tenant can mend it; 404; 503: no descriptors, or leased; 500
  proto::Cause cause = proto::Cause::kForbidden;  // kNone for 500 and 503
  const char* reason = "";                        // a literal, for tests
};

// A disk would have to be asked: try again where waiting is allowed.
struct NotCached {};

using OpenedStatic = std::variant<StaticFile, StaticRefusal, NotCached>;

enum class MayWait : std::uint8_t { kNo, kYes };

struct StaticOrder {
  int root = -1;
  // The normal form of the path below the prefix "/static/", without a slash at the start.  Empty or with a
  // slash at its end it means the index file there.  Names that begin with "." and repeated slashes are 404.
  std::string_view relative;
  std::string_view index = "index.html";
  std::uint32_t owner_uid = 0;
  Encodings encodings;  // of the client
};

// GET and HEAD; every other method below a static prefix is 405 with kForbidden.
[[nodiscard]] bool is_static_method(std::string_view method);

// Without MayWait::kYes it touches no disk (RESOLVE_CACHED), and answers NotCached instead.
[[nodiscard]] OpenedStatic open_static_file(const StaticOrder& order, const MimeTypes& types,
                                            MayWait may_wait);

// Whether these bytes of the file are in memory, as far as a few samples can tell.
[[nodiscard]] bool is_cached(int file, std::uint64_t offset, std::uint64_t count);
// Reads them and throws them away, so that they are.
void warm_cache(int file, std::uint64_t offset, std::uint64_t count);

}  // namespace rowhouse::gateway
