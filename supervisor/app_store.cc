#include "supervisor/app_store.h"

#include <algorithm>

#include "base/files.h"
#include "proto/frames.h"
#include "proto/limits.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::string_view kMagic = "RHAPPS1\n";
constexpr const char* kFileName = "apps";
constexpr std::size_t kMaxFileBytes = 64 * 1024 * 1024;
constexpr std::uint32_t kGenerationBlock = 64;  // reserved by one write
constexpr std::size_t kNameRoom = proto::kMaxNameBytes;

void append_name(std::string& out, const std::string& name) {
  proto::append_integer(out, static_cast<std::uint16_t>(name.size()));
  out += name;
  out.append(kNameRoom - name.size(), '\0');
}

std::string read_name(ByteReader& reader) {
  const std::size_t size = reader.u16();
  const ByteSpan room = reader.bytes(kNameRoom);
  return std::string(as_text(room.first(std::min(size, room.size()))));
}

}  // namespace

std::string encode_stored_apps(const StoredApps& apps) {
  std::string out(kMagic);
  proto::append_integer(out, apps.next_number);
  for (const auto& [key, app] : apps.apps) {
    proto::append_integer(out, app.number);
    proto::append_integer(out, app.reserved_generation);
    proto::append_integer(out, static_cast<std::uint8_t>(app.stopped ? 1 : 0));
    append_name(out, key.first);
    append_name(out, key.second);
  }
  return out;
}

Result<StoredApps> parse_stored_apps(ByteSpan bytes) {
  ByteReader reader(bytes);
  StoredApps stored;
  if (as_text(reader.bytes(kMagic.size())) != kMagic) return make_error(ErrorCode::kInvalid, "state/apps");
  stored.next_number = reader.u32();
  while (reader.ok() && reader.remaining() > 0) {
    StoredApp app;
    app.number = reader.u32();
    app.reserved_generation = reader.u32();
    app.stopped = reader.u8() != 0;
    std::string tenant = read_name(reader);
    std::string name = read_name(reader);
    if (app.number == 0 || app.number >= stored.next_number || tenant.empty() || name.empty()) {
      return make_error(ErrorCode::kInvalid, "state/apps");
    }
    stored.apps[{std::move(tenant), std::move(name)}] = app;
  }
  if (!reader.done()) return make_error(ErrorCode::kInvalid, "state/apps");
  return stored;
}

Result<AppStore> AppStore::open(UniqueFd state_directory) {
  AppStore store;
  store.directory_ = std::move(state_directory);
  auto content = read_file(store.directory_.get(), kFileName, kMaxFileBytes);
  if (!content.ok()) {
    if (content.error().system_errno == ENOENT) return store;
    return content.error();
  }
  RH_ASSIGN(StoredApps stored, parse_stored_apps(as_bytes(content.value())));
  store.next_number_ = stored.next_number;
  store.apps_ = std::move(stored.apps);
  return store;
}

StoredApp& AppStore::find_or_add(const Key& key) {
  const auto [entry, added] = apps_.try_emplace(key);
  if (added) entry->second.number = next_number_++;
  return entry->second;
}

StoredApp& AppStore::restore(const Key& key, std::uint32_t number) {
  next_number_ = std::max(next_number_, number + 1);
  StoredApp& app = apps_[key];
  app.number = number;
  return app;
}

Result<std::uint32_t> AppStore::next_generation(const Key& key, std::uint32_t last_used) {
  return next_shared_generation(std::vector<Key>(1, key), last_used);
}

Result<std::uint32_t> AppStore::next_shared_generation(const std::vector<Key>& keys, std::uint32_t last_used) {
  std::uint32_t next = last_used + 1;
  for (const Key& key : keys) {
    // After a start of the supervisor nothing is known to be used: everything reserved may have been.
    if (last_used == 0) next = std::max(next, find_or_add(key).reserved_generation + 1);
  }
  bool reserve = false;
  for (const Key& key : keys) reserve = reserve || find_or_add(key).reserved_generation < next;
  if (!reserve) return next;
  for (const Key& key : keys) find_or_add(key).reserved_generation = next + kGenerationBlock - 1;
  RH_TRY(save());
  return next;
}

Status AppStore::set_stopped(const Key& key, bool stopped) {
  return set_all_stopped(std::vector<Key>(1, key), stopped);
}

Status AppStore::set_all_stopped(const std::vector<Key>& keys, bool stopped) {
  std::vector<bool> before;
  for (const Key& key : keys) before.push_back(std::exchange(find_or_add(key).stopped, stopped));
  const Status saved = save();
  for (std::size_t i = 0; !saved.ok() && i < keys.size(); ++i) find_or_add(keys[i]).stopped = before[i];
  return saved;
}

Status AppStore::forget(const Key& key) {
  if (apps_.erase(key) == 0) return {};
  return save();
}

Status AppStore::save() const {
  return replace_file(directory_.get(), kFileName, encode_stored_apps({next_number_, apps_}), 0600);
}

}  // namespace rowhouse::supervisor
