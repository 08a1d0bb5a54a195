#include "cli/program_directory.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

namespace rowhouse::cli {

std::string find_program_directory() {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  for (const std::string& place : {path.substr(0, path.rfind('/')), std::string(ROWHOUSE_LIBEXEC)}) {
    if (::access((place + "/rowhouse-loader").c_str(), X_OK) == 0) return place;
  }
  return {};
}

}  // namespace rowhouse::cli
