// Which generations have groups, whoever made them.
#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "supervisor/cgroups.h"

namespace rowhouse::supervisor {
namespace {

using Names = std::vector<std::string>;

// The groups below `path` whose name begins with `prefix`.
Names list_groups(int parent, const std::string& path, std::string_view prefix) {
  const int directory = ::openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(directory < 0 ? nullptr : ::fdopendir(directory), ::closedir);
  Names names;
  while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name.starts_with(prefix)) names.push_back(path + "/" + std::string(name));
  }
  return names;
}

}  // namespace

std::set<std::string> CgroupTree::list_generations() const {
  std::set<std::string> found;
  for (const Hierarchy& hierarchy : hierarchies_) {
    const int parent = hierarchy.directory.get();
    for (const std::string& tenant : list_groups(parent, "tenants", "t-")) {
      for (const std::string& app : list_groups(parent, tenant, "a-")) {
        const Names generations = list_groups(parent, app, "g");
        found.insert(generations.begin(), generations.end());
      }
    }
  }
  return found;
}

}  // namespace rowhouse::supervisor
