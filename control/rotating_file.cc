#include "control/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "base/files.h"
#include "base/log.h"

namespace rowhouse::control {
namespace {

constexpr mode_t kFileMode = 0640;

}  // namespace

RotatingFile::RotatingFile(const LogDirectory& directory, const Clock& clock, AppName app,
                           const char* file_name)
    : directory_(directory), clock_(clock), app_(std::move(app)), name_(file_name) {}

void RotatingFile::append(std::string_view line) {
  pending_ += line;
  if (pending_.size() >= kMaxPendingBytes) flush();
}

void RotatingFile::flush() {
  if (pending_.empty()) return;
  if (failing_ && clock_.now() < retry_at_) {
    lost_bytes_ += pending_.size();
  } else if (const Status written = write_pending(); !written.ok()) {
    on_failure(written.error());
  } else {
    failing_ = false;
  }
  pending_.clear();
}

std::uint64_t RotatingFile::take_lost_bytes() {
  return failing_ ? 0 : std::exchange(lost_bytes_, 0);
}

Status RotatingFile::write_pending() {
  const auto more = static_cast<std::int64_t>(pending_.size());
  if (!file_.valid()) RH_TRY(open());
  if (size_bytes_ > 0 && size_bytes_ + more > kMaxFileBytes) {
    RH_ASSIGN(const UniqueFd directory, directory_.open_app(app_, Missing::kCreate));
    RH_TRY(rotate(directory.get()));
    RH_TRY(open());
  }
  const Status written = write_all(file_.get(), pending_);
  if (!written.ok()) {
    // Half a line must not remain in front of the next one.
    [[maybe_unused]] const int ignored = ::ftruncate(file_.get(), size_bytes_);
    return written;
  }
  size_bytes_ += more;
  return {};
}

Status RotatingFile::open() {
  RH_ASSIGN(const UniqueFd directory, directory_.open_app(app_, Missing::kCreate));
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueFd file(::openat(directory.get(), name_.c_str(), flags, kFileMode));
  if (!file.valid()) return system_error("openat log");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error("fstat log");
  if (!S_ISREG(status.st_mode)) return make_error(ErrorCode::kInvalid, "log is not a regular file");
  size_bytes_ = status.st_size;
  file_ = std::move(file);
  return {};
}

// NAME.4 becomes NAME.5 ... NAME becomes NAME.1.
Status RotatingFile::rotate(int directory_fd) {
  file_.reset();
  for (int number = kKeptFiles; number >= 1; --number) {
    const std::string older = name_ + "." + std::to_string(number);
    const std::string newer = number == 1 ? name_ : name_ + "." + std::to_string(number - 1);
    const int renamed = ::renameat(directory_fd, newer.c_str(), directory_fd, older.c_str());
    if (renamed != 0 && errno != ENOENT) return system_error("renameat log");
  }
  return {};
}

void RotatingFile::on_failure(const Error& error) {
  if (!failing_) log_warning("log_write_failed", {{"app", app_.text()}, {"file", name_}, {"error", error}});
  failing_ = true;
  retry_at_ = clock_.now() + kRetryAfter;
  lost_bytes_ += pending_.size();
  file_.reset();
}

}  // namespace rowhouse::control
