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
#include "gateway/head_rules.h"
#include "gateway/mime.h"
#include "proto/causes.h"

namespace rowhouse::gateway {

struct StaticFile {
  UniqueFd file;  // O_NONBLOCK, at offset 0
  std::uint64_t size = 0;
  std::int64_t modified_s = 0;    // since 1970-01-01T00:00:00Z
  std::string etag;               // strong, with its quotes
  std::string_view content_type;  // borrowed from the MimeTypes
};

struct StaticRefusal {
  std::uint16_t status = 404;  // 403: the tenant can mend it; 404; 503: no descriptors, or leased; 500
  proto::Cause cause = proto::Cause::kForbidden;  // kNone for 500 and 503
  const char* reason = "";                        // a literal, for the tenant's log
};

// GET and HEAD; every other method below a static prefix is 405 with kForbidden.
[[nodiscard]] bool is_static_method(std::string_view method);

// `relative`: the normal form of the path below the prefix "/static/", without a slash at the start.  Empty
// or with a slash at its end it means index.html there.  Names that begin with "." and repeated slashes are
// 404. May block on a slow disk.
[[nodiscard]] std::variant<StaticFile, StaticRefusal> open_static_file(int root_fd, std::string_view relative,
                                                                       std::uint32_t owner_uid,
                                                                       const MimeTypes& types);

enum class AfterAnswer : std::uint8_t { kKeepAlive, kClose };

// What follows the head: `length` bytes of the file from `offset`; 0 for HEAD, 304, 412, 416.  The file may
// have become shorter since: fewer bytes than `length` must end the connection visibly.
struct StaticPlan {
  std::uint16_t status = 200;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Appends the whole head of the answer: preconditions and a single range as RFC 9110 13.2.2 and 14.2 say;
// several ranges are answered by the whole file.  REQUIRES: is_static_method(head.method).  `date`: the HTTP
// date of now.
[[nodiscard]] StaticPlan append_static_head(std::string& out, const StaticFile& file, const CheckedHead& head,
                                            std::string_view date, AfterAnswer after);

}  // namespace rowhouse::gateway
