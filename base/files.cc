#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace rowhouse {
namespace {

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

}  // namespace

Result<std::string> read_all(int fd, std::size_t cap_bytes) {
  std::string content;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read");
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > cap_bytes) {
      return make_error(ErrorCode::kTooLarge, "read");
    }
    content.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Result<std::string> read_file(int directory_fd, const char* name, std::size_t cap_bytes) {
  const UniqueFd file(::openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  if (!file.valid()) return system_error("openat");
  return read_all(file.get(), cap_bytes);
}

Status write_kernel_file(int directory_fd, const char* name, std::string_view text) {
  const UniqueFd file(::openat(directory_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return system_error("openat");
  ssize_t written = -1;
  do {
    written = ::write(file.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return system_error("write");
  return {};
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status replace_file(int directory_fd, const std::string& name, std::string_view content, unsigned mode) {
  const std::string staged = "." + name + ".new";
  if (::unlinkat(directory_fd, staged.c_str(), 0) != 0 && errno != ENOENT) return system_error("unlinkat");
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::openat(directory_fd, staged.c_str(), flags, mode));
  if (!file.valid()) return system_error("openat");
  RH_TRY(write_all(file.get(), content));
  if (::fsync(file.get()) != 0) return system_error("fsync");
  if (::renameat(directory_fd, staged.c_str(), directory_fd, name.c_str()) != 0) return system_error("renameat");
  if (::fsync(directory_fd) != 0) return system_error("fsync directory");
  return {};
}

Result<UniqueFd> create_sealed_memory(const char* name, ByteSpan bytes) {
  UniqueFd memory(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid()) return system_error("memfd_create");
  RH_TRY(write_all(memory.get(), as_text(bytes)));
  if (::lseek(memory.get(), 0, SEEK_SET) != 0) return system_error("lseek");
  if (::fcntl(memory.get(), F_ADD_SEALS, kAllSeals) != 0) return system_error("fcntl F_ADD_SEALS");
  return memory;
}

Result<std::string> read_sealed_memory(int fd, std::size_t cap_bytes) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  constexpr int kNeeded = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals < 0 || (seals & kNeeded) != kNeeded) return make_error(ErrorCode::kInvalid, "sealed memory");
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error("fstat");
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > cap_bytes) {
    return make_error(ErrorCode::kTooLarge, "sealed memory");
  }
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t used = 0;
  while (used < content.size()) {
    const ssize_t got =
        ::pread(fd, content.data() + used, content.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("pread");
    if (got == 0) return make_error(ErrorCode::kInvalid, "sealed memory");
    used += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace rowhouse
