// Whole files and sealed memory files, against real files of a directory of the test's own.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace rowhouse {
namespace {

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/unit-base-XXXXXX";
    path_ = ::mkdtemp(name);
    fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::filesystem::path path() const { return path_; }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

TEST_CASE("a replaced file has the new content and leaves no staged one") {
  const Directory directory;
  REQUIRE(replace_file(directory.fd(), "a", "one", 0640).ok());
  REQUIRE(replace_file(directory.fd(), "a", "two", 0640).ok());
  CHECK(read_file(directory.fd(), "a", 100).value() == "two");
  CHECK(directory.files() == 1);
}

TEST_CASE("a staged file left by a crash does not stop the next replacement") {
  const Directory directory;
  REQUIRE(UniqueFd(::openat(directory.fd(), ".a.new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).valid());
  CHECK(replace_file(directory.fd(), "a", "x", 0600).ok());
  CHECK(read_file(directory.fd(), "a", 100).value() == "x");
}

TEST_CASE("a file of exactly the cap is read, one byte more is too large") {
  const Directory directory;
  REQUIRE(replace_file(directory.fd(), "a", std::string(20'000, 'x'), 0600).ok());
  CHECK(read_file(directory.fd(), "a", 20'000).value().size() == 20'000);
  CHECK(read_file(directory.fd(), "a", 19'999).error().code == ErrorCode::kTooLarge);
}

TEST_CASE("read_file follows no symbolic link") {
  const Directory directory;
  std::filesystem::create_symlink("/etc/passwd", directory.path() / "link");
  const auto content = read_file(directory.fd(), "link", 100'000);
  REQUIRE_FALSE(content.ok());
  CHECK(content.error().system_errno == ELOOP);
}

TEST_CASE("a missing file is an error that names the operation") {
  const Directory directory;
  const auto content = read_file(directory.fd(), "none", 100);
  REQUIRE_FALSE(content.ok());
  CHECK(content.error().system_errno == ENOENT);
}

TEST_CASE("write_kernel_file writes an existing file and makes none") {
  const Directory directory;
  CHECK_FALSE(write_kernel_file(directory.fd(), "a", "1").ok());
  REQUIRE(replace_file(directory.fd(), "a", "", 0600).ok());
  CHECK(write_kernel_file(directory.fd(), "a", "1").ok());
  CHECK(read_file(directory.fd(), "a", 10).value() == "1");
}

TEST_CASE("sealed memory holds its bytes, opens at the start and cannot be changed") {
  const auto memory = create_sealed_memory("test", as_bytes("content"));
  REQUIRE(memory.ok());
  const int fd = memory.value().get();
  CHECK(read_all(fd, 100).value() == "content");
  CHECK(read_sealed_memory(fd, 7).value() == "content");
  CHECK(::pwrite(fd, "x", 1, 0) == -1);
  CHECK(::ftruncate(fd, 0) == -1);
  CHECK(::ftruncate(fd, 100) == -1);
  CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("memory that its sender could still change is refused") {
  const UniqueFd memory(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(write_all(memory.get(), "x").ok());
  CHECK(read_sealed_memory(memory.get(), 100).error().code == ErrorCode::kInvalid);
  REQUIRE(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
  CHECK(read_sealed_memory(memory.get(), 100).error().code == ErrorCode::kInvalid);
  REQUIRE(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
  CHECK(read_sealed_memory(memory.get(), 100).value() == "x");
}

TEST_CASE("a plain file or a pipe is no sealed memory") {
  const UniqueFd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(read_sealed_memory(file.get(), 1 << 20).ok());
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  CHECK_FALSE(read_sealed_memory(reading.get(), 100).ok());
}

TEST_CASE("sealed memory over the cap is refused, empty memory is empty") {
  const auto memory = create_sealed_memory("test", as_bytes("12345"));
  CHECK(read_sealed_memory(memory.value().get(), 4).error().code == ErrorCode::kTooLarge);
  const auto empty = create_sealed_memory("test", {});
  CHECK(read_sealed_memory(empty.value().get(), 4).value().empty());
}

}  // namespace
}  // namespace rowhouse
