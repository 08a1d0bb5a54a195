#include "supervisor/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "base/cgroup_mounts.h"
#include "base/files.h"
#include "proto/jail_messages.h"
#include "supervisor/cgroup_files.h"

namespace rowhouse::supervisor {
namespace {

constexpr const char* kSupervisorLeaf = "supervisor";
constexpr useconds_t kRemovePauseUs = 2'000;

std::uint32_t bit(proto::Wall wall) {
  return static_cast<std::uint32_t>(wall);
}

// We, the keeper, and the keeper's other children: the loader of the host file may still be there.
bool is_ours(pid_t pid) {
  const pid_t keeper = ::getppid();
  return pid == ::getpid() || pid == keeper || parent_of(pid) == keeper;
}

}  // namespace

// --- one group ---------------------------------------------------------------------------------------------

LimitOutcome Cgroup::set_limits(const CgroupLimits& limits) const {
  LimitOutcome outcome;
  outcome.missing = asked_walls(limits);
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    write_limits(member.directory.get(), hierarchy.version, hierarchy.has, limits, outcome);
  }
  return outcome;
}

Status Cgroup::die_together() const {
  const int directory = v2_directory();
  if (directory < 0 || ::faccessat(directory, "memory.oom.group", F_OK, 0) != 0) return {};
  return write_kernel_file(directory, "memory.oom.group", "1");
}

int Cgroup::v2_directory() const {
  for (const Member& member : members_) {
    if (tree_->hierarchies_[member.hierarchy].version == CgroupTree::Version::kV2)
      return member.directory.get();
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
  const Member* with_freezer = nullptr;
  for (const Member& member : members_) {
    if (tree_->hierarchies_[member.hierarchy].has.freezer) with_freezer = &member;
  }
  if (tree_ != nullptr) tree_->thaw_above(path_);
  const int unified = v2_directory();
  if (unified >= 0) {
    const Status killed = kill_group(unified);
    if (with_freezer != nullptr) thaw_group(with_freezer->directory.get());
    return killed;
  }
  if (with_freezer != nullptr) return freeze_and_kill(with_freezer->directory.get());
  return members_.empty() ? Status() : freeze_and_kill(members_.front().directory.get());
}

std::uint64_t Cgroup::memory_bytes() const {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    if (!hierarchy.has.memory) continue;
    const bool v2 = hierarchy.version == CgroupTree::Version::kV2;
    return read_number(member.directory.get(), v2 ? "memory.current" : "memory.usage_in_bytes");
  }
  return 0;
}

std::uint64_t Cgroup::peak_memory_bytes() const {
  const std::uint64_t peak = usage().memory_peak_bytes;
  return peak == proto::kUnknownCount ? 0 : peak;
}

proto::Usage Cgroup::usage() const {
  proto::Usage usage;
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    read_usage(member.directory.get(), hierarchy.version, hierarchy.has, usage);
  }
  struct stat status {};
  // The kernel gives a number of a group's directory to another one only after very many.
  if (!members_.empty() && ::fstat(members_.front().directory.get(), &status) == 0) usage.epoch = status.st_ino;
  return usage;
}

LeafCounters Cgroup::counters() const {
  LeafCounters counters;
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    counters += read_leaf_counters(member.directory.get(), hierarchy.version, hierarchy.has);
  }
  return counters;
}

std::optional<std::uint64_t> Cgroup::memory_limit_hits() const {
  for (const Member& member : members_) {
    const CgroupTree::Hierarchy& hierarchy = tree_->hierarchies_[member.hierarchy];
    if (hierarchy.has.memory) return read_memory_limit_hits(member.directory.get(), hierarchy.version);
  }
  return std::nullopt;
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
    hierarchy.has.memory = mount.has("memory");
    hierarchy.has.pids = mount.has("pids");
    hierarchy.has.cpu = mount.has("cpu");
    hierarchy.has.io = mount.has(mount.unified ? "io" : "blkio");
    hierarchy.has.freezer = mount.has("freezer");
    const Controllers& has = hierarchy.has;
    const bool useful = has.memory || has.pids || has.cpu || has.io || has.freezer || mount.unified;
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
    if (hierarchies_.front().has.memory && hierarchies_.front().version == Version::kV2 &&
        try_own_unified_group(hierarchies_.front())) {
      made_parent_ = false;
      description_ = "cgroup v2, " + hierarchies_.front().parent;
      return {};
    }
    path = "/rowhouse-" + name_hash(run_directory);
  }
  for (Hierarchy& hierarchy : hierarchies_) RH_TRY(open_parent(hierarchy, path));
  const bool unified = hierarchies_.front().version == Version::kV2 && hierarchies_.front().has.memory;
  description_ = (unified ? "cgroup v2, " : "cgroup v1, ") + path;
  return {};
}

Status CgroupTree::open_parent(Hierarchy& hierarchy, const std::string& path) const {
  hierarchy.parent = path;
  hierarchy.directory.reset(::open(hierarchy.mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!hierarchy.directory.valid()) return system_error("open cgroup mount");
  // Only the last component is ours to make (`rowhouse doctor` says so beforehand).
  const std::string above = path.substr(1, std::max<std::size_t>(path.rfind('/'), 1) - 1);
  if (!above.empty() && ::faccessat(hierarchy.directory.get(), above.c_str(), F_OK, 0) != 0) {
    return make_error(ErrorCode::kNotFound, "cgroup.parent: the group above it does not exist");
  }
  RH_ASSIGN(hierarchy.directory, create_below(hierarchy, path.substr(1)));
  return keep_given_controllers(hierarchy);
}

// A group of cgroup v2 has the controllers that the one above gives it, which may be fewer than the kernel's.
Status CgroupTree::keep_given_controllers(Hierarchy& hierarchy) {
  if (hierarchy.version != Version::kV2) return {};
  RH_ASSIGN(const std::vector<std::string> given, read_controllers(hierarchy.directory.get()));
  const auto is_given = [&](const char* name) {
    return std::find(given.begin(), given.end(), name) != given.end();
  };
  hierarchy.has.memory = hierarchy.has.memory && is_given("memory");
  hierarchy.has.pids = hierarchy.has.pids && is_given("pids");
  hierarchy.has.cpu = hierarchy.has.cpu && is_given("cpu");
  hierarchy.has.io = hierarchy.has.io && is_given("io");
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
  const std::vector<pid_t> members = read_pids(directory.get());
  if (!std::all_of(members.begin(), members.end(), is_ours)) return false;
  if (::mkdirat(directory.get(), kSupervisorLeaf, 0755) != 0 && errno != EEXIST) return false;
  const UniqueFd leaf(::openat(directory.get(), kSupervisorLeaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const pid_t pid : members) {
    const Status moved = write_kernel_file(leaf.get(), "cgroup.procs", std::to_string(pid));
    if (!moved.ok() && moved.error().system_errno != ESRCH) return false;
  }
  hierarchy.parent = own;
  hierarchy.directory = std::move(directory);
  return keep_given_controllers(hierarchy).ok();
}

Result<UniqueFd> CgroupTree::create_below(const Hierarchy& hierarchy, const std::string& path) const {
  UniqueFd directory(::openat(hierarchy.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return system_error("openat cgroup");
  std::istringstream components(path);
  for (std::string name; std::getline(components, name, '/');) {
    const bool has_controllers =
        hierarchy.has.memory || hierarchy.has.pids || hierarchy.has.cpu || hierarchy.has.io;
    if (hierarchy.version == Version::kV2 && has_controllers) RH_TRY(enable_controllers(directory.get()));
    if (::mkdirat(directory.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      return system_error("mkdirat cgroup");
    UniqueFd next(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!next.valid()) return system_error("openat cgroup");
    if (hierarchy.version == Version::kV1 && hierarchy.has.memory) {
      // Gone from newer kernels, where every v1 memory group is hierarchical.
      [[maybe_unused]] const Status ignored = write_kernel_file(next.get(), "memory.use_hierarchy", "1");
    }
    directory = std::move(next);
  }
  return directory;
}

Result<Cgroup> CgroupTree::open_existing(const std::string& path) const {
  Cgroup group;
  group.tree_ = this;
  group.path_ = path;
  for (std::size_t i = 0; i < hierarchies_.size(); ++i) {
    UniqueFd directory(::openat(hierarchies_[i].directory.get(), path.c_str(),
                                O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory.valid()) return make_error(ErrorCode::kNotFound, "cgroup");
    group.members_.push_back({i, std::move(directory)});
  }
  return group;
}

// The tree is ours: whoever froze one of its groups does not keep us from ending what is in it.
void CgroupTree::thaw_above(const std::string& path) const {
  for (const Hierarchy& hierarchy : hierarchies_) {
    const bool v2 = hierarchy.version == Version::kV2;
    if (!v2 && !hierarchy.has.freezer) continue;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string file = path.substr(0, slash) + (v2 ? "/cgroup.freeze" : "/freezer.state");
      [[maybe_unused]] const Status thawed =
          write_kernel_file(hierarchy.directory.get(), file.c_str(), v2 ? "0" : "THAWED");
    }
  }
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

bool CgroupTree::exists(const std::string& path) const {
  return std::any_of(hierarchies_.begin(), hierarchies_.end(), [&](const Hierarchy& hierarchy) {
    return ::faccessat(hierarchy.directory.get(), path.c_str(), F_OK, 0) == 0;
  });
}

Result<Cgroup> CgroupTree::create_new(const std::string& path) const {
  if (exists(path)) return make_error(ErrorCode::kInvalid, "cgroup of this generation exists already");
  return create(path);
}

Status CgroupTree::clear(int patience_ms) {
  const std::vector<std::string> ours = {"tenants", "gateway", "control", "loader"};
  for (int waited_us = 0;; waited_us += static_cast<int>(kRemovePauseUs)) {
    Status status;
    for (const Hierarchy& hierarchy : hierarchies_) {
      for (const std::string& name : ours) {
        const UniqueFd group(
            ::openat(hierarchy.directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!group.valid()) continue;
        [[maybe_unused]] const Status killed = kill_group(group.get());
        if (const Status removed = remove_group(hierarchy.directory.get(), name); !removed.ok())
          status = removed;
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

// REQUIRES: the hierarchy has the memory controller.
bool CgroupTree::limits_swap(const Hierarchy& hierarchy) {
  const char* file = hierarchy.version == Version::kV2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
  return ::faccessat(hierarchy.directory.get(), file, F_OK, 0) == 0;
}

void CgroupTree::note_missing_walls() {
  missing_walls_ = bit(proto::Wall::kMemoryLimit) | bit(proto::Wall::kPidsLimit) |
                   bit(proto::Wall::kCpuLimit) | bit(proto::Wall::kCgroupKill);
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (hierarchy.has.memory) missing_walls_ &= ~bit(proto::Wall::kMemoryLimit);
    if (hierarchy.has.pids) missing_walls_ &= ~bit(proto::Wall::kPidsLimit);
    if (hierarchy.has.cpu) missing_walls_ &= ~bit(proto::Wall::kCpuLimit);
    const bool kills = hierarchy.version == Version::kV2 &&
                       ::faccessat(hierarchy.directory.get(), "cgroup.kill", F_OK, 0) == 0;
    if (kills) missing_walls_ &= ~bit(proto::Wall::kCgroupKill);
    if (hierarchy.has.memory && !limits_swap(hierarchy)) missing_walls_ |= bit(proto::Wall::kSwapLimit);
  }
}

}  // namespace rowhouse::supervisor
