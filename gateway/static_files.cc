#include "gateway/static_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <optional>

namespace rowhouse::gateway {
namespace {

constexpr std::uint64_t kSampleBytes = 64 * 1024;  // a disk is read in pieces no smaller
constexpr std::size_t kWarmBytes = 256 * 1024;
constexpr std::size_t kMaxSuffixBytes = 3;
constexpr int kOpenAttempts = 4;  // openat2 answers EAGAIN also when a rename crosses its way

using PathRoom = std::array<char, PATH_MAX>;

// Segments that are neither empty nor begin with "."; an empty last one means the index file.
bool is_servable_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    if (path.front() == '/' || path.front() == '.') return false;
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return true;
}

// Nothing when it does not fit a path of the kernel.
std::optional<std::string_view> file_path(std::string_view relative, std::string_view index_name,
                                          PathRoom& room) {
  const bool is_directory = relative.empty() || relative.ends_with('/');
  const std::string_view index = is_directory ? index_name : std::string_view();
  // With room for the suffix of a precompressed twin.
  if (relative.size() + index.size() + kMaxSuffixBytes >= room.size()) return std::nullopt;
  if (!relative.empty()) std::memcpy(room.data(), relative.data(), relative.size());
  if (!index.empty()) std::memcpy(room.data() + relative.size(), index.data(), index.size());
  room[relative.size() + index.size()] = '\0';
  return std::string_view(room.data(), relative.size() + index.size());
}

StaticRefusal refuse(std::uint16_t status, const char* reason,
                     proto::Cause cause = proto::Cause::kForbidden) {
  return {status, cause, reason};
}

StaticRefusal refuse_open(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return refuse(403, "not readable by others, or below a directory that is not", proto::Cause::kFileMode);
    case ELOOP: return refuse(404, "a symbolic link");
    case EXDEV: return refuse(404, "beyond the root directory or on another mount");
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG: return refuse(404, "no such file");
    case ENXIO:
    case ENODEV: return refuse(404, "not a regular file");
    case EMFILE:
    case ENFILE:
    case ENOMEM: return {503, proto::Cause::kNone, "the gateway is out of descriptors or memory"};
    case EAGAIN: return {503, proto::Cause::kNone, "the file is being replaced or leased"};
    default: return {500, proto::Cause::kNone, "the file cannot be opened"};
  }
}

// SECURITY: resolves below `root_fd` without links of any kind and without leaving the mount
// (test: a symbolic link is not followed).  O_NONBLOCK: the tenant's FIFOs and leases (fcntl(2)) never hold
// the gateway up.
UniqueFd open_beneath(int root_fd, const char* path, std::uint64_t more_resolve) {
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  how.resolve =
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV | more_resolve;
  const int attempts = more_resolve == 0 ? kOpenAttempts : 1;
  long fd = -1;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    fd = ::syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return UniqueFd(static_cast<int>(fd));
}

// EINVAL: a kernel before 5.12 does not know RESOLVE_CACHED, so every file has to wait its turn.
bool means_not_cached(int error, MayWait may_wait) {
  return may_wait == MayWait::kNo && (error == EAGAIN || error == EINVAL || error == EINTR);
}

std::optional<StaticRefusal> check_file(const struct stat& status, std::uint32_t owner_uid) {
  if (!S_ISREG(status.st_mode)) return refuse(404, "not a regular file");
  if (status.st_uid != owner_uid) return refuse(403, "not owned by the tenant", proto::Cause::kFileOwner);
  if (status.st_nlink > 1) return refuse(403, "has several hard links", proto::Cause::kFileLinks);
  if (status.st_nlink == 0) return refuse(404, "no such file");
  return std::nullopt;
}

void append_hex(std::string& out, std::uint64_t value) {
  std::array<char, 16> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  out.append(digits.data(), end);
}

// Size and time of the last change, to the nanosecond, and the coding.
std::string make_etag(const struct stat& status, Coding coding) {
  std::string etag = "\"";
  append_hex(etag, static_cast<std::uint64_t>(status.st_size));
  etag += '-';
  append_hex(etag, static_cast<std::uint64_t>(status.st_mtim.tv_sec));
  etag += '-';
  append_hex(etag, static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  if (coding == Coding::kGzip) etag += "-gz";
  if (coding == Coding::kBrotli) etag += "-br";
  etag += '"';
  return etag;
}

// Opens one file and checks it.
OpenedStatic open_one(const StaticOrder& order, const char* path, Coding coding, MayWait may_wait) {
  StaticFile file;
  file.file = open_beneath(order.root, path, may_wait == MayWait::kNo ? RESOLVE_CACHED : 0);
  if (!file.file.valid() && means_not_cached(errno, may_wait)) return NotCached{};
  if (!file.file.valid()) return refuse_open(errno);
  struct stat status;
  if (::fstat(file.file.get(), &status) != 0) return refuse_open(errno);
  if (const auto refusal = check_file(status, order.owner_uid)) return *refusal;
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified_s = status.st_mtim.tv_sec;
  file.etag = make_etag(status, coding);
  file.coding = coding;
  return file;
}

// The file that was compressed before, beside the one that is asked for, unless it is the older one.
OpenedStatic open_twin(const StaticOrder& order, const StaticFile& plain, std::string_view path,
                       Coding coding, PathRoom& room, MayWait may_wait) {
  std::memcpy(room.data() + path.size(), coding == Coding::kGzip ? ".gz" : ".br", kMaxSuffixBytes + 1);
  auto twin = open_one(order, room.data(), coding, may_wait);
  const auto* file = std::get_if<StaticFile>(&twin);
  if (file != nullptr && file->modified_s < plain.modified_s)
    return refuse(404, "older than the file itself");
  return twin;
}

}  // namespace

bool is_static_method(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

OpenedStatic open_static_file(const StaticOrder& order, const MimeTypes& types, MayWait may_wait) {
  PathRoom room;
  if (!is_servable_path(order.relative)) return refuse(404, "a name that is not served");
  const auto path = file_path(order.relative, order.index, room);
  if (!path) return refuse_open(ENAMETOOLONG);
  auto opened = open_one(order, path->data(), Coding::kIdentity, may_wait);
  auto* plain = std::get_if<StaticFile>(&opened);
  if (plain == nullptr) return opened;
  plain->content_type = types.of_file(*path);
  plain->varies = is_compressible(plain->content_type);
  if (!plain->varies) return opened;
  for (const Coding coding : {Coding::kBrotli, Coding::kGzip}) {
    if (!(coding == Coding::kBrotli ? order.encodings.brotli : order.encodings.gzip)) continue;
    auto twin = open_twin(order, *plain, *path, coding, room, may_wait);
    if (std::holds_alternative<NotCached>(twin)) return twin;
    if (auto* file = std::get_if<StaticFile>(&twin)) {
      file->content_type = plain->content_type;
      file->varies = true;
      return twin;
    }
  }
  return opened;
}

bool is_cached(int file, std::uint64_t offset, std::uint64_t count) {
  const std::uint64_t end = offset + count;
  for (std::uint64_t at = offset; at < end; at += kSampleBytes) {
    // The last byte is among the samples.
    const std::uint64_t sample = end - at <= kSampleBytes ? end - 1 : at;
    char byte = 0;
    iovec room{&byte, 1};
    const ssize_t got = ::preadv2(file, &room, 1, static_cast<off_t>(sample), RWF_NOWAIT);
    if (got < 0) return false;  // EAGAIN, or a file system that cannot tell
  }
  return true;
}

void warm_cache(int file, std::uint64_t offset, std::uint64_t count) {
  std::string room(kWarmBytes, '\0');
  while (count > 0) {
    const auto share = static_cast<std::size_t>(std::min<std::uint64_t>(count, room.size()));
    const ssize_t got = ::pread(file, room.data(), share, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
}

}  // namespace rowhouse::gateway
