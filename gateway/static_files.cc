#include "gateway/static_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <optional>

#include "gateway/conditions.h"
#include "gateway/http_date.h"
#include "gateway/response_rules.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kIndex = "index.html";
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
std::optional<std::string_view> file_path(std::string_view relative, PathRoom& room) {
  const bool is_directory = relative.empty() || relative.ends_with('/');
  const std::string_view index = is_directory ? kIndex : std::string_view();
  if (relative.size() + index.size() >= room.size()) return std::nullopt;
  if (!relative.empty()) std::memcpy(room.data(), relative.data(), relative.size());
  if (!index.empty()) std::memcpy(room.data() + relative.size(), index.data(), index.size());
  room[relative.size() + index.size()] = '\0';
  return std::string_view(room.data(), relative.size() + index.size());
}

StaticRefusal refuse(std::uint16_t status, const char* reason) {
  return {status, proto::Cause::kForbidden, reason};
}

StaticRefusal refuse_open(int error) {
  switch (error) {
    case EACCES:
    case EPERM: return refuse(403, "not readable by others, or below a directory that is not");
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
UniqueFd open_beneath(int root_fd, const char* path) {
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd = -1;
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    fd = ::syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return UniqueFd(static_cast<int>(fd));
}

std::optional<StaticRefusal> check_file(const struct stat& status, std::uint32_t owner_uid) {
  if (!S_ISREG(status.st_mode)) return refuse(404, "not a regular file");
  if (status.st_uid != owner_uid) return refuse(403, "not owned by the tenant");
  if (status.st_nlink > 1) return refuse(403, "has several hard links");
  if (status.st_nlink == 0) return refuse(404, "no such file");
  return std::nullopt;
}

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end);
}

// Size and time of the last change, to the nanosecond.
std::string make_etag(const struct stat& status) {
  std::string etag = "\"";
  append_number(etag, static_cast<std::uint64_t>(status.st_size), 16);
  etag += '-';
  append_number(etag, static_cast<std::uint64_t>(status.st_mtim.tv_sec), 16);
  etag += '-';
  append_number(etag, static_cast<std::uint64_t>(status.st_mtim.tv_nsec), 16);
  etag += '"';
  return etag;
}

StaticPlan make_plan(const StaticFile& file, const CheckedHead& head, const Validators& now) {
  switch (evaluate_conditions(head.fields, now)) {
    case Condition::kNotModified: return {304};
    case Condition::kFailed: return {412};
    case Condition::kSend: break;
  }
  if (head.method != "GET") return {200, 0, 0};
  const auto range = select_range(head.fields, now);
  if (std::holds_alternative<Unsatisfiable>(range)) return {416};
  if (const auto* part = std::get_if<ByteRange>(&range)) return {206, part->first, part->length};
  return {200, 0, file.size};
}

void append_content_range(std::string& out, const StaticPlan& plan, std::uint64_t size) {
  out.append("Content-Range: bytes ");
  if (plan.status == 206) {
    append_number(out, plan.offset);
    out.append("-");
    append_number(out, plan.offset + plan.length - 1);
  } else {
    out.append("*");
  }
  out.append("/");
  append_number(out, size);
  out.append("\r\n");
}

// The fields that describe what is sent; a 304 has neither length nor type.
void append_content_fields(std::string& out, const StaticPlan& plan, const StaticFile& file) {
  if (plan.status == 206 || plan.status == 416) append_content_range(out, plan, file.size);
  if (plan.status == 304) return;
  out.append("Content-Length: ");
  append_number(out, plan.status == 200 ? file.size : plan.length);
  out.append("\r\n");
  if (plan.status == 412 || plan.status == 416) return;
  out.append("Content-Type: ").append(file.content_type).append("\r\nAccept-Ranges: bytes\r\n");
}

void append_connection(std::string& out, const CheckedHead& head, AfterAnswer after) {
  if (after == AfterAnswer::kClose) {
    out.append("Connection: close\r\n");
  } else if (head.version == 10) {
    out.append("Connection: keep-alive\r\n");
  }
}

}  // namespace

bool is_static_method(std::string_view method) { return method == "GET" || method == "HEAD"; }

std::variant<StaticFile, StaticRefusal> open_static_file(int root_fd, std::string_view relative,
                                                         std::uint32_t owner_uid, const MimeTypes& types) {
  PathRoom room;
  if (!is_servable_path(relative)) return refuse(404, "a name that is not served");
  const auto path = file_path(relative, room);
  if (!path) return refuse_open(ENAMETOOLONG);
  StaticFile file;
  file.file = open_beneath(root_fd, path->data());
  if (!file.file.valid()) return refuse_open(errno);
  struct stat status;
  if (::fstat(file.file.get(), &status) != 0) return refuse_open(errno);
  if (const auto refusal = check_file(status, owner_uid)) return *refusal;
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified_s = status.st_mtim.tv_sec;
  file.etag = make_etag(status);
  file.content_type = types.of_file(*path);
  return file;
}

StaticPlan append_static_head(std::string& out, const StaticFile& file, const CheckedHead& head,
                              std::string_view date, AfterAnswer after) {
  const std::int64_t now_s = parse_http_date(date, 0).value_or(0);
  // RFC 9110 8.8.2.1: never a time to come.
  const Validators now{file.etag, std::min(file.modified_s, now_s), now_s, file.size};
  const StaticPlan plan = make_plan(file, head, now);
  out.append("HTTP/1.1 ");
  append_number(out, plan.status);
  out.append(" ").append(standard_reason(plan.status)).append("\r\nDate: ").append(date);
  out.append("\r\nServer: Rowhouse\r\n");
  append_content_fields(out, plan, file);
  if (plan.status != 412 && plan.status != 416) {
    out.append("Last-Modified: ");
    append_http_date(out, now.modified_s);
    out.append("\r\nETag: ").append(file.etag).append("\r\nX-Content-Type-Options: nosniff\r\n");
  }
  append_connection(out, head, after);
  out.append("\r\n");
  return plan;
}

}  // namespace rowhouse::gateway
