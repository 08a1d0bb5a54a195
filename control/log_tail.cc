#include "control/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "control/rotating_file.h"

namespace rowhouse::control {
namespace {

struct FileEnd {
  std::string text;
  std::size_t left_out_bytes = 0;  // at its front
};

// The last `cap_bytes` of one file.  A line that the cap cuts at its front is left out.
Result<FileEnd> read_end(int directory_fd, const std::string& name, std::size_t cap_bytes) {
  const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const UniqueFd file(::openat(directory_fd, name.c_str(), flags));
  if (!file.valid() && errno == ENOENT) return make_error(ErrorCode::kNotFound, "openat log");
  if (!file.valid()) return system_error("openat log");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error("fstat log");
  if (!S_ISREG(status.st_mode)) return make_error(ErrorCode::kInvalid, "log is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t skipped = size > cap_bytes ? size - cap_bytes : 0;
  std::string end(size - skipped, '\0');
  const ssize_t got = ::pread(file.get(), end.data(), end.size(), static_cast<off_t>(skipped));
  if (got < 0) return system_error("pread log");
  end.resize(static_cast<std::size_t>(got));
  if (skipped > 0) end.erase(0, end.find('\n') == std::string::npos ? end.size() : end.find('\n') + 1);
  return FileEnd{std::move(end), skipped};
}

// Puts the lines of `text` that are wanted into `newest_first`, last one first, until there are `lines` of them.
void take_lines(std::string_view text, std::size_t lines, const LineTest& wants, std::vector<std::string>& newest_first) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  while (!text.empty() && newest_first.size() < lines) {
    const std::size_t end = text.rfind('\n');
    const std::size_t begin = end == std::string_view::npos ? 0 : end + 1;
    if (const std::string_view line = text.substr(begin); !wants || wants(line)) newest_first.emplace_back(line);
    text = text.substr(0, begin == 0 ? 0 : begin - 1);
  }
}

Result<std::vector<std::string>> read_lines(int directory_fd, const std::string& name, std::size_t lines,
                                            std::size_t room, const LineTest& wants) {
  std::vector<std::string> found;
  for (int number = 0; number <= RotatingFile::kKeptFiles; ++number) {
    if (found.size() >= lines || room == 0) break;
    const auto end = read_end(directory_fd, number == 0 ? name : name + "." + std::to_string(number), room);
    if (!end.ok() && end.error().code == ErrorCode::kNotFound) break;
    if (!end.ok()) return end.error();
    take_lines(end.value().text, lines, wants, found);
    // An older file after a gap would read as if nothing were missing.
    if (end.value().left_out_bytes > 0) break;
    room -= end.value().text.size();
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace

Result<std::vector<std::string>> read_last_lines(int directory_fd, const std::string& name, std::size_t lines) {
  return read_lines(directory_fd, name, lines, kMaxTailBytes, nullptr);
}

Result<std::vector<std::string>> search_last_lines(int directory_fd, const std::string& name, std::size_t lines,
                                                   const LineTest& wants) {
  return read_lines(directory_fd, name, lines, kMaxSearchBytes, wants);
}

}  // namespace rowhouse::control
