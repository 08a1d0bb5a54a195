// state/last-good: the bytes of each tenant file and manifest that was accepted last, so that a start that finds a broken
// file goes on with what was in force.  They are kept as they were read and never parsed by root: a loader reads them
// again, and what it answers passes every check that a fresh file passes.
//
// One file for each, root's own: 8 bytes magic, u32 uid, u32 size, u64 checksum (FNV-1a), then the bytes.  The uid is the
// tenant's for a manifest, so that a later tenant of the same name never gets another one's words; 0 for a tenant file.
// A file is replaced as a whole, durably.  It is written a little later than it came into force: kTick apart, and each one
// not twice in kPause, so that a tenant who changes its manifest all the time costs the host's disk little.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

struct KeptText {
  std::uint32_t uid = 0;
  std::string text;
  bool operator==(const KeptText&) const = default;
};
[[nodiscard]] std::string encode_kept_text(const KeptText& kept);
// kInvalid for bytes that no build of ours has written whole.
[[nodiscard]] Result<KeptText> parse_kept_text(ByteSpan bytes);

class LastGood {
 public:
  static constexpr std::chrono::milliseconds kTick{50};
  static constexpr Duration kPause = std::chrono::seconds(10);
  static constexpr Duration kEndPatience = std::chrono::seconds(2);
  static constexpr std::size_t kMaxWaitingBytes = std::size_t{16} * 1024 * 1024;

  enum class Kind : std::uint8_t { kTenant, kManifest };

  // Makes the directory where it is missing.  kInvalid when it is not root's alone.
  static Result<std::unique_ptr<LastGood>> open(uv_loop_t* loop, const Clock& clock, UniqueFd state_directory);

  // It was accepted; written soon, unless it is what is there.
  void put(Kind kind, const std::string& tenant, KeptText accepted);
  // Nothing when there is none for this uid; a file that cannot be right is left out with a sentence in the log.
  [[nodiscard]] std::optional<std::string> find(Kind kind, const std::string& tenant, std::uint32_t uid) const;
  // The tenant is no more.
  void forget(const std::string& tenant);
  // Of all others, nothing is kept.
  void keep_only(const std::set<std::string>& tenants);
  // Writes what waits, for at most kEndPatience.
  void finish();

 private:
  using Key = std::pair<Kind, std::string>;

  LastGood(uv_loop_t* loop, const Clock& clock, UniqueFd directory);
  static std::string file_name(const Key& key);
  void on_tick();
  void write_first(Instant now);
  void write(const Key& key, const KeptText& kept);

  const Clock& clock_;
  UniqueFd directory_;
  std::deque<Key> order_;             // of waiting_, each once
  std::map<Key, KeptText> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::map<Key, std::uint64_t> written_;  // checksums
  std::map<Key, Instant> written_at_;
  bool failing_ = false;  // the last write failed: said once
  Timer tick_;
};

}  // namespace rowhouse::supervisor
