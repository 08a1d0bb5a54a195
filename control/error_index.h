// The errors that visitors saw, by the id in their Rowhouse-Error field: the last kKeptErrors of each tenant, on disk
// as LOGS/_history/TENANT/_errors.jsonl.  Those without a tenant (no such host) are in memory only.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "control/log_directory.h"
#include "control/story.h"
#include "proto/access_record.h"

namespace rowhouse::control {

struct FoundError {
  AppName app;  // empty names: of no app
  Json json;    // null: nothing found
};

class ErrorIndex {
 public:
  static constexpr std::size_t kKeptErrors = 256;              // of one tenant
  static constexpr std::size_t kMaxFileBytes = 512 * 1024;     // then it is written anew
  static constexpr std::size_t kMaxTextBytes = 256;
  static constexpr std::size_t kWritesPerTurn = 32;            // tenants
  static constexpr std::chrono::milliseconds kWritePeriod{200};

  explicit ErrorIndex(uv_loop_t* loop) : writing_(loop, [this] { write(); }) {}
  // REQUIRES: before everything else.  `directory` must outlive this object.
  void open(const LogDirectory& directory) { directory_ = &directory; }

  // An answer with an error id.  An empty tenant: no app's.
  void add(const AppName& app, const proto::AccessRecord& record);
  // `id` as 16 hex digits; looks only where these tenants' errors are, "" being those of no app.
  [[nodiscard]] FoundError find(std::string_view id, const std::vector<std::string>& tenants);
  void forget(const std::string& tenant) { rings_.erase(tenant), dirty_.erase(tenant); }
  // Writes what waits: the last act of the program.
  void write_all_now();

 private:
  struct Entry {
    std::string id;
    std::string line;
  };
  struct Ring {
    std::deque<Entry> entries;
    std::size_t unwritten = 0;  // of them, at the end
  };
  void write();
  void write_ring(const std::string& tenant, Ring& ring);

  const LogDirectory* directory_ = nullptr;
  std::map<std::string, Ring> rings_;
  std::set<std::string> dirty_;
  Timer writing_;
};

// 16 hex digits.
[[nodiscard]] std::string error_id_text(std::uint64_t id);
[[nodiscard]] bool is_error_id(std::string_view text);

}  // namespace rowhouse::control
