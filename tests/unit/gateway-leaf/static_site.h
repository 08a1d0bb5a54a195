// A tenant's directory with real files and real owners, for the tests of static files.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "gateway/static_files.h"

namespace rowhouse::gateway {

inline constexpr std::uint32_t kTenant = 61'234;
inline constexpr std::uint32_t kOther = 61'235;  // neither the tenant nor root
inline constexpr std::int64_t kModified = 784111777;

class Site {
 public:
  Site() {
    char home[] = "/tmp/rowhouse-static-XXXXXX";
    REQUIRE(::mkdtemp(home) != nullptr);  // 0700
    home_ = home;
    REQUIRE(::mkdir(at("").c_str(), 0711) == 0);
    own("");
    root_ = UniqueFd(::open(at("").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(root_.valid());
  }
  ~Site() { std::filesystem::remove_all(home_); }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  [[nodiscard]] std::string at(const std::string& name) const { return home_ + "/root/" + name; }
  [[nodiscard]] int root() const { return root_.get(); }

  void directory(const std::string& name) {
    REQUIRE(::mkdir(at(name).c_str(), 0755) == 0);
    own(name);
  }
  void file(const std::string& name, const std::string& content = "hello") {
    const UniqueFd fd(::open(at(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    REQUIRE(fd.valid());
    REQUIRE(write_all(fd.get(), content).ok());
    const std::array<timespec, 2> times{{{kModified, 0}, {kModified, 0}}};
    REQUIRE(::futimens(fd.get(), times.data()) == 0);
    own(name);
  }
  void own(const std::string& name) { REQUIRE(::lchown(at(name).c_str(), kTenant, kTenant) == 0); }

  [[nodiscard]] StaticOrder order(std::string_view relative, Encodings encodings = {}) const {
    return {root(), relative, "index.html", kTenant, encodings};
  }
  // 200 or the status of the refusal.
  [[nodiscard]] int status(std::string_view relative) const {
    const auto opened = open_static_file(order(relative), types_, MayWait::kYes);
    const auto* refusal = std::get_if<StaticRefusal>(&opened);
    return refusal == nullptr ? 200 : refusal->status;
  }
  // The same as a user who is neither root nor the tenant.
  [[nodiscard]] int status_for_reader(std::string_view relative) const {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      if (::setresgid(kOther, kOther, kOther) != 0 || ::setresuid(kOther, kOther, kOther) != 0) ::_exit(255);
      ::_exit(status(relative) - 200);
    }
    int ended = 0;
    REQUIRE(::waitpid(child, &ended, 0) == child);
    return WIFEXITED(ended) ? 200 + WEXITSTATUS(ended) : -1;
  }
  [[nodiscard]] StaticFile open(std::string_view relative, Encodings encodings = {}) const {
    auto opened = open_static_file(order(relative, encodings), types_, MayWait::kYes);
    REQUIRE(std::holds_alternative<StaticFile>(opened));
    return std::get<StaticFile>(std::move(opened));
  }

 private:
  std::string home_;
  UniqueFd root_;
  MimeTypes types_;
};

}  // namespace rowhouse::gateway
