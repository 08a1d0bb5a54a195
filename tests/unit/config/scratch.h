// A directory of a test's own with the files that it asks for, gone afterwards.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace rowhouse::config {

class Scratch {
 public:
  Scratch() {
    std::string name = "/tmp/rowhouse-config-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr || ::chmod(name.c_str(), 0755) != 0) std::abort();
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::string path(std::string_view name = "") const {
    return name.empty() ? path_ : path_ + "/" + std::string(name);
  }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  std::string make_directory(std::string_view name) const {
    std::filesystem::create_directories(path(name));
    return path(name);
  }
  void link(std::string_view target, std::string_view name) const {
    std::filesystem::create_symlink(target, path(name));
  }
  void make_fifo(std::string_view name) const {
    if (::mkfifo(path(name).c_str(), 0666) != 0) std::abort();
  }
  // Gives everything to `uid`.
  void give_to(uid_t uid) const {
    for (const auto& each : std::filesystem::recursive_directory_iterator(path_)) {
      if (::lchown(each.path().c_str(), uid, uid) != 0) std::abort();
    }
  }

 private:
  std::string path_;
};

}  // namespace rowhouse::config
