#include "supervisor/leftovers.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/listing.h"
#include "supervisor/cgroups.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::size_t kMaxStatusBytes = 64 * 1024;
constexpr std::size_t kMaxTableBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxEntries = 200'000;  // of one shared directory, of each tenant's making

// Where any user may leave files that outlive its processes, or that make new processes (cron, at).
constexpr const char* kSharedDirectories[] = {
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/run/user",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/atjobs",
};

UniqueFd open_directory(const char* path) {
  return UniqueFd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Name for a sentence: whoever made the file chose it.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name) text += c > ' ' && c < 0x7f ? c : '?';
  return text;
}

// The queues of our own IPC namespace, wherever or whether they are mounted.
UniqueFd open_message_queues() {
  const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC)));
  if (!context.valid()) return {};
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

// A phrase when the home is still owned by the ids, or when that cannot be known.
std::string home_left(const Trace& trace) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const UniqueFd home(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, trace.home.c_str(), &how, sizeof how)));
  if (!home.valid() && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return "";
  struct statx status {};
  constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  if (!home.valid() || ::statx(home.get(), "", kFlags, STATX_UID | STATX_GID, &status) != 0) {
    return "the home " + trace.home + ", which cannot be looked at (" + std::strerror(errno) + ")";
  }
  if (trace.uid && status.stx_uid == *trace.uid) return "the home " + trace.home;
  if (trace.gid && status.stx_gid == *trace.gid) return "the group of the home " + trace.home;
  return "";
}

}  // namespace

ProcessIds parse_process_ids(std::string_view status) {
  ProcessIds ids;
  std::istringstream lines{std::string(status)};
  for (std::string line; std::getline(lines, line);) {
    const bool is_uid = line.starts_with("Uid:");
    const bool is_gid = line.starts_with("Gid:") || line.starts_with("Groups:");
    if (!is_uid && !is_gid) continue;
    std::istringstream numbers(line.substr(line.find(':') + 1));
    for (std::uint32_t id = 0; numbers >> id;) (is_uid ? ids.uids : ids.gids).push_back(id);
  }
  return ids;
}

std::vector<IpcObject> parse_ipc_table(std::string_view table) {
  std::istringstream lines{std::string(table)};
  std::string line;
  std::getline(lines, line);
  std::istringstream titles(line);
  std::vector<std::string> columns;
  for (std::string title; titles >> title;) columns.push_back(title);
  std::vector<IpcObject> objects;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    IpcObject object;
    std::string word;
    for (std::size_t i = 0; i < columns.size() && words >> word; ++i) {
      if (!is_number(word)) continue;
      const std::uint64_t number = std::stoull(word);
      if (columns[i].ends_with("id") && i == 1) object.id = number;
      if (columns[i] == "uid" || columns[i] == "cuid")
        object.uids.push_back(static_cast<std::uint32_t>(number));
      if (columns[i] == "gid" || columns[i] == "cgid")
        object.gids.push_back(static_cast<std::uint32_t>(number));
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

void Leftovers::add(const std::string& phrase, const std::vector<std::uint32_t>& uids,
                    const std::vector<std::uint32_t>& gids) {
  for (const std::uint32_t uid : std::set(uids.begin(), uids.end())) of_uid_.emplace(uid, phrase);
  for (const std::uint32_t gid : std::set(gids.begin(), gids.end())) of_gid_.emplace(gid, phrase);
}

void Leftovers::look_at_processes() {
  const UniqueFd proc = open_directory("/proc");
  const Listing listing = open_listing(proc.get());
  while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get())) {
    const std::string pid = entry->d_name;
    if (!is_number(pid)) continue;
    const auto status = read_file(proc.get(), (pid + "/status").c_str(), kMaxStatusBytes);
    if (!status.ok()) continue;  // it has gone
    const ProcessIds ids = parse_process_ids(status.value());
    add("process " + pid, ids.uids, ids.gids);
  }
}

void Leftovers::look_at_ipc() {
  const UniqueFd directory = open_directory("/proc/sysvipc");
  constexpr std::pair<const char*, const char*> kTables[] = {
      {"shm", "shared memory"}, {"sem", "semaphores"}, {"msg", "message queue"}};
  for (const auto& [file, noun] : kTables) {
    const auto table = read_file(directory.get(), file, kMaxTableBytes);
    if (!table.ok()) continue;  // a kernel without System V IPC
    for (const IpcObject& object : parse_ipc_table(table.value())) {
      add("System V " + std::string(noun) + " " + std::to_string(object.id), object.uids, object.gids);
    }
  }
}

void Leftovers::add_files(int directory, const std::string& before_name) {
  const Listing listing = open_listing(directory);
  std::size_t entries = 0;
  while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    struct stat status {};
    if (name == "." || name == ".." || ++entries > kMaxEntries) continue;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) continue;
    add(before_name + shown(name), {status.st_uid}, {status.st_gid});
  }
}

void Leftovers::look_at_message_queues() {
  const UniqueFd queues = open_message_queues();
  if (queues.valid()) add_files(queues.get(), "POSIX message queue /");
}

void Leftovers::look_at_shared_directories() {
  for (const char* path : kSharedDirectories) {
    const UniqueFd directory = open_directory(path);
    if (directory.valid()) add_files(directory.get(), std::string(path) + "/");
  }
}

void Leftovers::look() {
  if (looked_) return;
  looked_ = true;
  look_at_processes();
  look_at_ipc();
  look_at_message_queues();
  look_at_shared_directories();
}

std::vector<std::string> Leftovers::find(const Trace& trace) {
  look();
  std::vector<std::string> left;
  const auto collect = [&left](const Phrases& phrases, const std::optional<std::uint32_t>& id) {
    if (!id) return;
    const auto [begin, end] = phrases.equal_range(*id);
    for (auto phrase = begin; phrase != end; ++phrase) {
      if (std::find(left.begin(), left.end(), phrase->second) == left.end()) left.push_back(phrase->second);
    }
  };
  collect(of_uid_, trace.uid);
  collect(of_gid_, trace.gid);
  if (cgroups_ != nullptr && cgroups_->exists("tenants/t-" + trace.name))
    left.push_back("cgroup t-" + trace.name);
  if (std::string home = home_left(trace); !home.empty()) left.push_back(std::move(home));
  return left;
}

}  // namespace rowhouse::supervisor
