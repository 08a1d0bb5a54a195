// What the tests of kept bodies and answers share: a spool directory for the gateway under test, and bytes to recognise.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gateway_process.h"

namespace rowhouse::test {

enum class Spool { kThere, kMissing };

// Made and told to the gateway; removed at the end.
class SpoolDirectory {
 public:
  SpoolDirectory(GatewayProcess& gateway, Spool spool) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    if (spool == Spool::kMissing) return;
    const UniqueFd opened(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    gateway.send(proto::SpoolDirectory{}, {opened.get()});
  }
  ~SpoolDirectory() { std::filesystem::remove_all(path_); }
  SpoolDirectory(const SpoolDirectory&) = delete;
  SpoolDirectory& operator=(const SpoolDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/var/tmp/rowhouse-spool-XXXXXX";
};

inline std::string varied(std::size_t bytes) {
  std::string body;
  body.reserve(bytes);
  for (std::size_t i = 0; i < bytes; ++i) body.push_back(static_cast<char>(i * 31 % 251 + i / 65536));
  return body;
}

}  // namespace rowhouse::test
