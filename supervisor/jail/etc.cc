// /etc: written for this tenant, with what is public on every host bound read-only.  /etc/shadow and the
// other tenants' names do not exist in it.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "base/files.h"
#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {
namespace {

constexpr std::size_t kMaxCopiedBytes = 256 * 1024;

// Bound where the host has them.  alternatives: /usr is full of links into it (BLAS is one).
constexpr std::array kBound = {"ssl",        "pki",          "crypto-policies", "alternatives", "ld.so.cache",
                               "ld.so.conf", "ld.so.conf.d", "mime.types",      "services",     "protocols",
                               "fonts",      "os-release",   "timezone"};
// Copied, because on many hosts they are links out of /etc.
constexpr std::array kCopied = {"resolv.conf", "localtime"};

constexpr std::string_view kNameServices =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
    "services: files\nprotocols: files\nnetworks: files\nethers: files\nrpc: files\n";

Status write_file(int directory, const char* name, std::string_view content) {
  const UniqueFd file(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) return system_error("openat etc file");
  return write_all(file.get(), content);
}

Status copy_file(int etc, int host_etc, const char* name) {
  const UniqueFd file(::openat(host_etc, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) return {};
  if (!file.valid()) return system_error("openat host etc file");
  RH_ASSIGN(const std::string content, read_all(file.get(), kMaxCopiedBytes));
  return write_file(etc, name, content);
}

Status bind_entry(int etc, int host_etc, const char* name) {
  auto tree = copy_tree(host_etc, name);
  if (!tree.ok() && tree.error().code == ErrorCode::kNotFound) return {};
  RH_TRY(tree);
  RH_ASSIGN(const UniqueFd target, make_mount_point(etc, name, tree.value().get()));
  return place_tree(tree.value().get(), target.get(), kReadOnlyTree);
}

// Debian's configuration of its Pythons: /etc/python3, /etc/python3.11.
Status bind_python_entries(int etc, int host_etc) {
  UniqueFd listed(::openat(host_etc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(listed.get()), ::closedir);
  if (directory == nullptr) return system_error("fdopendir /etc");
  static_cast<void>(listed.release());
  while (const dirent* entry = ::readdir(directory.get())) {
    if (std::string_view(entry->d_name).starts_with("python3"))
      RH_TRY(bind_entry(etc, host_etc, entry->d_name));
  }
  return {};
}

Status write_names(int etc, const proto::JailSetup& setup) {
  const std::string user = setup.user.str();
  const std::string gid = std::to_string(setup.gid);
  const std::string ids = std::to_string(setup.uid) + ":" + gid;
  RH_TRY(write_file(etc, "passwd", user + ":x:" + ids + "::" + setup.home.str() + ":/bin/sh\n"));
  RH_TRY(write_file(etc, "group", user + ":x:" + gid + ":\n"));
  RH_TRY(write_file(etc, "hostname", setup.tenant.str() + "\n"));
  RH_TRY(
      write_file(etc, "hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + setup.tenant.str() + "\n"));
  return write_file(etc, "nsswitch.conf", kNameServices);
}

}  // namespace

Status build_etc(int root, const proto::JailSetup& setup) {
  const UniqueFd host_etc(::open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!host_etc.valid()) return system_error("open /etc");
  RH_ASSIGN(const UniqueFd etc, make_directory(root, "etc"));
  RH_TRY(write_names(etc.get(), setup));
  for (const char* name : kCopied) RH_TRY(copy_file(etc.get(), host_etc.get(), name));
  for (const char* name : kBound) RH_TRY(bind_entry(etc.get(), host_etc.get(), name));
  return bind_python_entries(etc.get(), host_etc.get());
}

}  // namespace rowhouse::jail
