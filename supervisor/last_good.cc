#include "supervisor/last_good.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/listing.h"
#include "base/log.h"
#include "proto/frames.h"
#include "proto/limits.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::string_view kMagic = "RHGOOD1\n";
constexpr const char* kDirectory = "last-good";
constexpr std::size_t kHeadBytes = 24;
constexpr std::string_view kPrefixes[] = {"tenant-", "manifest-"};  // by Kind

// FNV-1a over all that counts: it tells a damaged file, not a forged one, which only root could put there.
std::uint64_t checksum(const KeptText& kept) {
  std::uint64_t sum = 14695981039346656037ULL;
  const auto add = [&sum](std::uint8_t byte) { sum = (sum ^ byte) * 1099511628211ULL; };
  for (unsigned shift = 0; shift < 32; shift += 8) add(static_cast<std::uint8_t>(kept.uid >> shift));
  for (const char c : kept.text) add(static_cast<std::uint8_t>(c));
  return sum;
}

}  // namespace

std::string encode_kept_text(const KeptText& kept) {
  std::string out(kMagic);
  proto::append_integer(out, kept.uid);
  proto::append_integer(out, static_cast<std::uint32_t>(kept.text.size()));
  proto::append_integer(out, checksum(kept));
  return out += kept.text;
}

Result<KeptText> parse_kept_text(ByteSpan bytes) {
  ByteReader reader(bytes);
  if (as_text(reader.bytes(kMagic.size())) != kMagic) return make_error(ErrorCode::kInvalid, "of another version");
  KeptText kept;
  kept.uid = reader.u32();
  const std::uint32_t size = reader.u32();
  const std::uint64_t sum = reader.u64();
  kept.text = as_text(reader.bytes(size));
  if (!reader.done() || size > proto::kMaxConfigurationBytes || sum != checksum(kept)) {
    return make_error(ErrorCode::kInvalid, "damaged");
  }
  return kept;
}

Result<std::unique_ptr<LastGood>> LastGood::open(uv_loop_t* loop, const Clock& clock, UniqueFd state_directory) {
  if (::mkdirat(state_directory.get(), kDirectory, 0700) != 0 && errno != EEXIST) return system_error("mkdirat last-good");
  UniqueFd directory(
      ::openat(state_directory.get(), kDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.valid()) return system_error("openat last-good");
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return system_error("fstat last-good");
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return make_error(ErrorCode::kInvalid, "last-good must be root's alone, mode 0700");
  }
  return std::unique_ptr<LastGood>(new LastGood(loop, clock, std::move(directory)));
}

LastGood::LastGood(uv_loop_t* loop, const Clock& clock, UniqueFd directory)
    : clock_(clock), directory_(std::move(directory)), tick_(loop, [this] { on_tick(); }) {}

std::string LastGood::file_name(const Key& key) {
  return std::string(kPrefixes[static_cast<std::size_t>(key.first)]) + key.second;
}

void LastGood::put(Kind kind, const std::string& tenant, KeptText accepted) {
  const Key key{kind, tenant};
  const auto waiting = waiting_.find(key);
  if (waiting != waiting_.end()) {
    waiting_bytes_ = waiting_bytes_ - waiting->second.text.size() + accepted.text.size();
    waiting->second = std::move(accepted);
  } else {
    if (!written_.contains(key)) {
      const auto there = read_file(directory_.get(), file_name(key).c_str(), kHeadBytes + proto::kMaxConfigurationBytes);
      const auto kept = there.ok() ? parse_kept_text(as_bytes(there.value())) : Result<KeptText>(there.error());
      if (kept.ok()) written_[key] = checksum(kept.value());
    }
    const auto known = written_.find(key);
    if (known != written_.end() && known->second == checksum(accepted)) return;
    waiting_bytes_ += accepted.text.size();
    waiting_.emplace(key, std::move(accepted));
    order_.push_back(key);
  }
  while (waiting_bytes_ > kMaxWaitingBytes) write_first(Instant::max());
  if (!tick_.active()) tick_.start(kTick);
}

std::optional<std::string> LastGood::find(Kind kind, const std::string& tenant, std::uint32_t uid) const {
  const std::string name = file_name({kind, tenant});
  const auto content = read_file(directory_.get(), name.c_str(), kHeadBytes + proto::kMaxConfigurationBytes);
  if (!content.ok() && content.error().system_errno == ENOENT) return std::nullopt;
  auto kept = content.ok() ? parse_kept_text(as_bytes(content.value())) : Result<KeptText>(content.error());
  if (!kept.ok()) {
    log_warning("what was accepted last cannot be used", {{"file", "last-good/" + name}, {"reason", kept.error()}});
    return std::nullopt;
  }
  if (kept.value().uid != uid) {
    log_warning("what was accepted last is another tenant's", {{"file", "last-good/" + name}});
    return std::nullopt;
  }
  return std::move(kept.value().text);
}

void LastGood::forget(const std::string& tenant) {
  for (const Kind kind : {Kind::kTenant, Kind::kManifest}) {
    const Key key{kind, tenant};
    if (const auto waiting = waiting_.find(key); waiting != waiting_.end()) {
      waiting_bytes_ -= waiting->second.text.size();
      waiting_.erase(waiting);
      std::erase(order_, key);
    }
    written_.erase(key);
    written_at_.erase(key);
    ::unlinkat(directory_.get(), file_name(key).c_str(), 0);
  }
}

void LastGood::keep_only(const std::set<std::string>& tenants) {
  const Listing listing = open_listing(directory_.get());
  std::set<std::string> gone;
  while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get())) {
    for (const std::string_view prefix : kPrefixes) {
      const std::string_view name = entry->d_name;
      if (name.starts_with(prefix) && !tenants.contains(std::string(name.substr(prefix.size())))) {
        gone.insert(std::string(name.substr(prefix.size())));
      }
    }
  }
  for (const std::string& tenant : gone) forget(tenant);
}

void LastGood::on_tick() {
  write_first(clock_.now());
  if (!order_.empty()) tick_.start(kTick);
}

// One whose pause is not over goes to the end: each tick costs the same.
void LastGood::write_first(Instant now) {
  if (order_.empty()) return;
  const Key key = std::move(order_.front());
  order_.pop_front();
  const auto last = written_at_.find(key);
  if (last != written_at_.end() && now < last->second + kPause) return order_.push_back(key);
  const auto waiting = waiting_.find(key);
  waiting_bytes_ -= waiting->second.text.size();
  write(key, waiting->second);
  waiting_.erase(waiting);
}

void LastGood::write(const Key& key, const KeptText& kept) {
  const Status written = replace_file(directory_.get(), file_name(key), encode_kept_text(kept), 0600);
  written_at_[key] = clock_.now();
  if (written.ok()) {
    written_[key] = checksum(kept);
  } else if (!failing_) {
    log_error("cannot keep what was accepted last", {{"file", file_name(key)}, {"reason", written.error()}});
  }
  failing_ = !written.ok();
}

void LastGood::finish() {
  tick_.stop();
  const Instant end = clock_.now() + kEndPatience;
  while (!order_.empty() && clock_.now() < end) write_first(Instant::max());
}

}  // namespace rowhouse::supervisor
