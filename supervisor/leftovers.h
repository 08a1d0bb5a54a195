// What is left on this host of a uid or gid: processes, System V and POSIX queues, shared memory, files in
// shared places, the home, cgroups.  Read from the kernel once, at the first question; an object answers for
// one moment. Homes are not entered: only the home itself is looked at, without following links or waiting
// for a server.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/tombstones.h"

namespace rowhouse::supervisor {

class CgroupTree;

// The ids that a process has: of /proc/PID/status, "Uid:", "Gid:" and "Groups:".
struct ProcessIds {
  std::vector<std::uint32_t> uids, gids;
};
[[nodiscard]] ProcessIds parse_process_ids(std::string_view status);

// One row of a file of /proc/sysvipc.
struct IpcObject {
  std::uint64_t id = 0;
  std::vector<std::uint32_t> uids, gids;  // owner and creator
};
[[nodiscard]] std::vector<IpcObject> parse_ipc_table(std::string_view table);

class Leftovers {
 public:
  // `cgroups` may be null: then groups are not asked for.
  explicit Leftovers(const CgroupTree* cgroups) : cgroups_(cgroups) {}
  [[nodiscard]] std::vector<std::string> find(const Trace& trace);

 private:
  using Phrases = std::multimap<std::uint32_t, std::string>;
  void look();
  void look_at_processes();
  void look_at_ipc();
  void look_at_message_queues();
  void look_at_shared_directories();
  void add_files(int directory, const std::string& before_name);
  void add(const std::string& phrase, const std::vector<std::uint32_t>& uids,
           const std::vector<std::uint32_t>& gids);

  const CgroupTree* cgroups_;
  bool looked_ = false;
  Phrases of_uid_, of_gid_;
};

}  // namespace rowhouse::supervisor
