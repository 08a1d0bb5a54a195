#include "supervisor/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "base/files.h"
#include "supervisor/cgroup_files.h"
#include "supervisor/cgroup_mounts.h"
#include "proto/jail_messages.h"

namespace rowhouse::supervisor {
namespace {

constexpr const char* kSupervisorLeaf = "supervisor";
constexpr std::uint64_t kCpuPeriodUs = 100'000;
constexpr useconds_t kRemovePauseUs = 2'000;

std::string or_max(std::uint64_t value) { return value == 0 ? "max" : std::to_string(value); }

std::uint32_t bit(proto::Wall wall) { return static_cast<std::uint32_t>(wall); }

Status set_v1_memory(int directory, std::uint64_t bytes) {
  const std::string limit = bytes == 0 ? "-1" : std::to_string(bytes);
  // memory+swap may never be below memory: lifted first, and set last so that no swap is left.
  const bool counts_swap = ::faccessat(directory, "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
  if (counts_swap) RH_TRY(write_kernel_file(directory, "memory.memsw.limit_in_bytes", "-1"));
  RH_TRY(write_kernel_file(directory, "memory.limit_in_bytes", limit));
  if (counts_swap) RH_TRY(write_kernel_file(directory, "memory.memsw.limit_in_bytes", limit));
  return {};
}

}  // namespace

// --- one group ---------------------------------------------------------------------------------------------

Status Cgroup::set_limits(const CgroupLimits& limits) const {
  const std::uint64_t quota_us = limits.cpu_percent * kCpuPeriodUs / 100;
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    const int directory = member.directory.get();
    if (hierarchy.pids) RH_TRY(write_kernel_file(directory, "pids.max", or_max(limits.pids)));
    if (hierarchy.version == CgroupTree::Version::kV1) {
      if (hierarchy.memory) RH_TRY(set_v1_memory(directory, limits.memory_bytes));
      const std::string quota = quota_us == 0 ? "-1" : std::to_string(quota_us);
      if (hierarchy.cpu) RH_TRY(write_kernel_file(directory, "cpu.cfs_quota_us", quota));
      continue;
    }
    if (hierarchy.memory) {
      RH_TRY(write_kernel_file(directory, "memory.max", or_max(limits.memory_bytes)));
      if (::faccessat(directory, "memory.swap.max", F_OK, 0) == 0) {
        RH_TRY(write_kernel_file(directory, "memory.swap.max", "0"));
      }
    }
    const std::string cpu_max = or_max(quota_us) + " " + std::to_string(kCpuPeriodUs);
    if (hierarchy.cpu) RH_TRY(write_kernel_file(directory, "cpu.max", cpu_max));
  }
  return {};
}

int Cgroup::v2_directory() const {
  for (const Member& member : members_) {
    if (tree_->hierarchies_[member.hierarchy].version == CgroupTree::Version::kV2) return member.directory.get();
  }
  return -1;
}

Result<std::vector<UniqueFd>> Cgroup::open_v1_procs() const {
  std::vector<UniqueFd> files;
  for (const Member& member : members_) {
    if (tree_->hierarchies_[member.hierarchy].version != CgroupTree::Version::kV1) continue;
    files.emplace_back(::openat(member.directory.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!files.back().valid()) return system_error("openat cgroup.procs");
  }
  return files;
}

Status Cgroup::attach(pid_t pid) const {
  for (const Member& member : members_) {
    RH_TRY(write_kernel_file(member.directory.get(), "cgroup.procs", std::to_string(pid)));
  }
  return {};
}

bool Cgroup::contains(pid_t pid) const {
  return !members_.empty() && std::all_of(members_.begin(), members_.end(), [&](const Member& member) {
    const std::vector<pid_t> pids = read_pids(member.directory.get());
    return std::find(pids.begin(), pids.end(), pid) != pids.end();
  });
}

Status Cgroup::kill() const {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    if (hierarchy.version == CgroupTree::Version::kV2) return kill_group(member.directory.get());
  }
  for (const Member& member : members_) {
    if (tree_->hierarchies_[member.hierarchy].freezer) return kill_group(member.directory.get());
  }
  return members_.empty() ? Status() : kill_group(members_.front().directory.get());
}

std::uint64_t Cgroup::memory_bytes() const {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    if (!hierarchy.memory) continue;
    const bool v2 = hierarchy.version == CgroupTree::Version::kV2;
    return read_number(member.directory.get(), v2 ? "memory.current" : "memory.usage_in_bytes");
  }
  return 0;
}

std::uint64_t Cgroup::oom_kills() const {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    if (!hierarchy.memory) continue;
    const bool v2 = hierarchy.version == CgroupTree::Version::kV2;
    return read_keyed_number(member.directory.get(), v2 ? "memory.events" : "memory.oom_control", "oom_kill");
  }
  return 0;
}

Status Cgroup::remove() {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    RH_TRY(remove_group(hierarchy.directory.get(), path_));
  }
  members_.clear();
  path_.clear();
  return {};
}

// --- the tree ----------------------------------------------------------------------------------------------

Result<std::unique_ptr<CgroupTree>> CgroupTree::open(const std::string& configured,
                                                     const std::string& run_directory) {
  auto tree = std::make_unique<CgroupTree>();
  RH_TRY(tree->find_hierarchies());
  RH_TRY(tree->open_parents(configured, run_directory));
  tree->note_missing_walls();
  return tree;
}

Status CgroupTree::find_hierarchies() {
  RH_ASSIGN(const std::vector<CgroupMount> mounts, read_cgroup_mounts());
  const auto unified = std::find_if(mounts.begin(), mounts.end(), [](const CgroupMount& mount) {
    return mount.unified && mount.has("memory") && mount.has("pids");
  });
  const auto take = [&](const CgroupMount& mount) {
    Hierarchy hierarchy;
    hierarchy.version = mount.unified ? Version::kV2 : Version::kV1;
    hierarchy.mount = mount.path;
    hierarchy.memory = mount.has("memory");
    hierarchy.pids = mount.has("pids");
    hierarchy.cpu = mount.has("cpu");
    hierarchy.freezer = mount.has("freezer");
    const bool useful = hierarchy.memory || hierarchy.pids || hierarchy.cpu || hierarchy.freezer || mount.unified;
    if (useful) hierarchies_.push_back(std::move(hierarchy));
  };
  if (unified != mounts.end()) {
    take(*unified);
  } else {
    std::for_each(mounts.begin(), mounts.end(), take);
  }
  if (hierarchies_.empty()) return make_error(ErrorCode::kUnsupported, "no cgroup hierarchy is mounted");
  return {};
}

Status CgroupTree::open_parents(const std::string& configured, const std::string& run_directory) {
  std::string path = configured;
  if (path.empty()) {
    if (hierarchies_.front().memory && hierarchies_.front().version == Version::kV2 &&
        try_own_unified_group(hierarchies_.front())) {
      made_parent_ = false;
      description_ = "cgroup v2, " + hierarchies_.front().parent;
      return {};
    }
    path = "/rowhouse-" + name_hash(run_directory);
  }
  for (Hierarchy& hierarchy : hierarchies_) RH_TRY(open_parent(hierarchy, path));
  const bool unified = hierarchies_.front().version == Version::kV2 && hierarchies_.front().memory;
  description_ = (unified ? "cgroup v2, " : "cgroup v1, ") + path;
  return {};
}

Status CgroupTree::open_parent(Hierarchy& hierarchy, const std::string& path) const {
  hierarchy.parent = path;
  hierarchy.directory.reset(::open(hierarchy.mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!hierarchy.directory.valid()) return system_error("open cgroup mount");
  RH_ASSIGN(hierarchy.directory, create_below(hierarchy, path.substr(1)));
  return {};
}

// A unit or scope with Delegate=yes holds nobody but us.  We step down into a leaf, because an inner group of
// cgroup v2 may hold no process (cgroup-v2.rst, no internal process constraint).
bool CgroupTree::try_own_unified_group(Hierarchy& hierarchy) {
  std::string own = own_unified_path();
  if (own.ends_with(std::string("/") + kSupervisorLeaf)) own.resize(own.size() - sizeof("/supervisor") + 1);
  if (own.size() <= 1) return false;
  UniqueFd directory(::open((hierarchy.mount + own).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return false;
  const std::vector<pid_t> ours = {::getpid(), ::getppid()};
  const std::vector<pid_t> members = read_pids(directory.get());
  const auto is_ours = [&](pid_t pid) { return std::find(ours.begin(), ours.end(), pid) != ours.end(); };
  if (!std::all_of(members.begin(), members.end(), is_ours)) return false;
  if (::mkdirat(directory.get(), kSupervisorLeaf, 0755) != 0 && errno != EEXIST) return false;
  const UniqueFd leaf(::openat(directory.get(), kSupervisorLeaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const pid_t pid : ours) {
    if (!write_kernel_file(leaf.get(), "cgroup.procs", std::to_string(pid)).ok()) return false;
  }
  hierarchy.parent = own;
  hierarchy.directory = std::move(directory);
  return true;
}

Result<UniqueFd> CgroupTree::create_below(const Hierarchy& hierarchy, const std::string& path) const {
  UniqueFd directory(::openat(hierarchy.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return system_error("openat cgroup");
  std::istringstream components(path);
  for (std::string name; std::getline(components, name, '/');) {
    const bool has_controllers = hierarchy.memory || hierarchy.pids || hierarchy.cpu;
    if (hierarchy.version == Version::kV2 && has_controllers) RH_TRY(enable_controllers(directory.get()));
    if (::mkdirat(directory.get(), name.c_str(), 0755) != 0 && errno != EEXIST) return system_error("mkdirat cgroup");
    UniqueFd next(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!next.valid()) return system_error("openat cgroup");
    if (hierarchy.version == Version::kV1 && hierarchy.memory) {
      // Gone from newer kernels, where every v1 memory group is hierarchical.
      [[maybe_unused]] const Status ignored = write_kernel_file(next.get(), "memory.use_hierarchy", "1");
    }
    directory = std::move(next);
  }
  return directory;
}

Result<Cgroup> CgroupTree::create(const std::string& path) const {
  Cgroup group;
  group.tree_ = this;
  group.path_ = path;
  for (std::size_t i = 0; i < hierarchies_.size(); ++i) {
    RH_ASSIGN(UniqueFd directory, create_below(hierarchies_[i], path));
    group.members_.push_back({i, std::move(directory)});
  }
  return group;
}

Result<Cgroup> CgroupTree::create_new(const std::string& path) const {
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (::faccessat(hierarchy.directory.get(), path.c_str(), F_OK, 0) == 0) {
      return make_error(ErrorCode::kInvalid, "cgroup of this generation exists already");
    }
  }
  return create(path);
}

Status CgroupTree::clear(int patience_ms) {
  const std::vector<std::string> ours = {"tenants", "gateway", "control", "loader"};
  for (int waited_us = 0;; waited_us += static_cast<int>(kRemovePauseUs)) {
    Status status;
    for (const Hierarchy& hierarchy : hierarchies_) {
      for (const std::string& name : ours) {
        const UniqueFd group(::openat(hierarchy.directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!group.valid()) continue;
        [[maybe_unused]] const Status killed = kill_group(group.get());
        if (const Status removed = remove_group(hierarchy.directory.get(), name); !removed.ok()) status = removed;
      }
    }
    if (status.ok() || waited_us >= patience_ms * 1000) return status;
    ::usleep(kRemovePauseUs);  // start-up and shutdown only; no loop is running
  }
}

Status CgroupTree::remove_parent() {
  if (!made_parent_) return {};
  for (Hierarchy& hierarchy : hierarchies_) {
    const std::string path = hierarchy.mount + hierarchy.parent;
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return system_error("rmdir cgroup");
  }
  return {};
}

void CgroupTree::note_missing_walls() {
  missing_walls_ = bit(proto::Wall::kMemoryLimit) | bit(proto::Wall::kPidsLimit) | bit(proto::Wall::kCpuLimit) |
                   bit(proto::Wall::kCgroupKill);
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (hierarchy.memory) missing_walls_ &= ~bit(proto::Wall::kMemoryLimit);
    if (hierarchy.pids) missing_walls_ &= ~bit(proto::Wall::kPidsLimit);
    if (hierarchy.cpu) missing_walls_ &= ~bit(proto::Wall::kCpuLimit);
    const bool kills = hierarchy.version == Version::kV2 &&
                       ::faccessat(hierarchy.directory.get(), "cgroup.kill", F_OK, 0) == 0;
    if (kills) missing_walls_ &= ~bit(proto::Wall::kCgroupKill);
  }
}

}  // namespace rowhouse::supervisor
