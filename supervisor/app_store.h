// state/apps: what must be remembered of every app that was ever seen - its number, which is never reused, the
// last generation number that may have been given out, and whether an operator stopped it.  A file of root's own
// with a fixed layout: 8 bytes magic, u32 next number, then per app u32 number, u32 generation, u8 stopped, name
// of the tenant and of the app as proto::Text.  Replaced as a whole, durably, before the change takes effect.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

struct StoredApp {
  std::uint32_t number = 0;
  std::uint32_t reserved_generation = 0;  // generations up to this one may have been used
  bool stopped = false;
};

class AppStore {
 public:
  using Key = std::pair<std::string, std::string>;  // tenant, app

  // Reads `apps` below the state directory; a file that cannot be right is an error, never an empty store.
  static Result<AppStore> open(UniqueFd state_directory);

  // The app's record; a new one gets the next number.  Not yet durable for a new app: call save().
  StoredApp& find_or_add(const Key& key);
  // The record of an app that runs with this number, whatever the file says.
  StoredApp& restore(const Key& key, std::uint32_t number);
  // The next generation number of an app.  Reserves a block on disk now and then.
  Result<std::uint32_t> next_generation(const Key& key, std::uint32_t last_used);
  // The next one that none of the apps of a share has used; it is one of each of them.  Each app's first `last_used` is the
  // share's.
  Result<std::uint32_t> next_shared_generation(const std::vector<Key>& keys, std::uint32_t last_used);
  Status set_stopped(const Key& key, bool stopped);
  // All of them or none.
  Status set_all_stopped(const std::vector<Key>& keys, bool stopped);
  // The app is in no manifest any more: its number is never used again, its name may get another one.
  Status forget(const Key& key);
  Status save() const;

 private:
  UniqueFd directory_;
  std::uint32_t next_number_ = 1;
  std::map<Key, StoredApp> apps_;
};

struct StoredApps {
  std::uint32_t next_number = 1;
  std::map<AppStore::Key, StoredApp> apps;
};
[[nodiscard]] std::string encode_stored_apps(const StoredApps& apps);
[[nodiscard]] Result<StoredApps> parse_stored_apps(ByteSpan bytes);

}  // namespace rowhouse::supervisor
