#include "worker/pyvenv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/unique_fd.h"

namespace rowhouse::worker {
namespace {

constexpr std::size_t kMaxPyvenvBytes = 64 * 1024;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::size_t count_digits(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

// "3.11" of "3.11.2" or "3.11.2.final.0".
std::optional<std::string> two_numbers(std::string_view text) {
  const std::size_t major = count_digits(text);
  if (major == 0 || major + 1 >= text.size() || text[major] != '.') return std::nullopt;
  const std::size_t minor = count_digits(text.substr(major + 1));
  if (minor == 0) return std::nullopt;
  return std::string(text.substr(0, major + 1 + minor));
}

bool is_directory(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(status.st_mode);
}

}  // namespace

std::optional<std::string> pyvenv_version(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = trim(line.substr(0, equals));
    if (key != "version" && key != "version_info") continue;
    if (auto version = two_numbers(trim(line.substr(equals + 1)))) return version;
  }
  return std::nullopt;
}

std::string find_virtualenv_fault(const std::string& directory, const std::string& python) {
  const std::string subject = "the virtualenv '" + directory + "' ";
  if (!is_directory(directory)) return subject + "cannot be used: " + std::strerror(errno);
  const UniqueFd file(::open((directory + "/pyvenv.cfg").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return subject + "is not a virtualenv: pyvenv.cfg: " + std::strerror(errno);
  const auto text = read_all(file.get(), kMaxPyvenvBytes);
  if (!text.ok()) return subject + "is broken: pyvenv.cfg: " + describe(text.error());
  const std::optional<std::string> version = pyvenv_version(text.value());
  if (!version) return subject + "is broken: its pyvenv.cfg names no version";
  if (*version != python) {
    return subject + "was made for Python " + *version + ", but the app runs on Python " + python +
           ": make it anew with python" + python + " -m venv, or choose python: \"" + *version + "\"";
  }
  if (::access((directory + "/bin/python").c_str(), X_OK) != 0) {
    return subject + "is broken: bin/python: " + std::strerror(errno);
  }
  const std::string packages = "lib/python" + python + "/site-packages";
  if (!is_directory(directory + "/" + packages)) return subject + "is broken: it has no " + packages;
  return {};
}

}  // namespace rowhouse::worker
