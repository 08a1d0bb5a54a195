#include "control/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/unique_fd.h"

namespace rowhouse::control {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr int kCommonFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

Result<std::uint64_t> size_of(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return system_error("fstat journal");
  if (!S_ISREG(status.st_mode)) return make_error(ErrorCode::kInvalid, "journal is not a regular file");
  return static_cast<std::uint64_t>(status.st_size);
}

// A line that a crash has cut is ended, so that it spoils no other one.
std::string_view end_of_cut_line(int file, std::uint64_t size) {
  char last = '\n';
  if (size > 0 && ::pread(file, &last, 1, static_cast<off_t>(size - 1)) != 1) return "\n";
  return last == '\n' ? "" : "\n";
}

Status write_lines(int file, std::string_view start, std::string_view lines, Durability durability) {
  RH_TRY(write_all(file, start));
  RH_TRY(write_all(file, lines));
  if (durability == Durability::kNow && ::fdatasync(file) != 0) return system_error("fdatasync journal");
  return {};
}

}  // namespace

Result<std::uint64_t> append_lines(int directory_fd, const std::string& name, std::string_view lines,
                                   Durability durability) {
  bool is_new = false;
  UniqueFd file(::openat(directory_fd, name.c_str(), O_RDWR | O_APPEND | kCommonFlags));
  if (!file.valid() && errno == ENOENT) {
    is_new = true;
    file.reset(::openat(directory_fd, name.c_str(), O_RDWR | O_APPEND | O_CREAT | kCommonFlags, kFileMode));
  }
  if (!file.valid()) return system_error("openat journal");
  RH_ASSIGN(const std::uint64_t size, size_of(file.get()));
  const std::string_view start = end_of_cut_line(file.get(), size);
  if (const Status written = write_lines(file.get(), start, lines, durability); !written.ok()) {
    [[maybe_unused]] const int ignored = ::ftruncate(file.get(), static_cast<off_t>(size));
    return written.error();
  }
  if (is_new && durability == Durability::kNow && ::fsync(directory_fd) != 0) return system_error("fsync journals");
  return size + start.size() + lines.size();
}

Result<std::vector<std::string>> read_lines(int directory_fd, const std::string& name, std::size_t cap_bytes) {
  std::vector<std::string> lines;
  const UniqueFd file(::openat(directory_fd, name.c_str(), O_RDONLY | kCommonFlags));
  if (!file.valid() && errno == ENOENT) return lines;
  if (!file.valid()) return system_error("openat journal");
  RH_ASSIGN(const std::uint64_t size, size_of(file.get()));
  const std::uint64_t skipped = size > cap_bytes ? size - cap_bytes : 0;
  if (::lseek(file.get(), static_cast<off_t>(skipped), SEEK_SET) < 0) return system_error("lseek journal");
  RH_ASSIGN(const std::string text, read_all(file.get(), cap_bytes));
  std::size_t begin = 0;
  if (skipped > 0) begin = text.find('\n') == std::string::npos ? text.size() : text.find('\n') + 1;
  for (std::size_t end = text.find('\n', begin); end != std::string::npos; end = text.find('\n', begin)) {
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Status replace_lines(int directory_fd, const std::string& name, const std::vector<std::string>& lines) {
  std::string content;
  for (const std::string& line : lines) content.append(line).append("\n");
  return replace_file(directory_fd, name, content, kFileMode);
}

}  // namespace rowhouse::control
