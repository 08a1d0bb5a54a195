#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "control/log_directory.h"
#include "control/log_tail.h"
#include "control/rotating_file.h"

using namespace rowhouse;
using namespace rowhouse::control;
namespace fs = std::filesystem;

namespace {

class TemporaryLogs {
 public:
  TemporaryLogs() {
    char name[] = "/tmp/rowhouse-logs-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TemporaryLogs() { fs::remove_all(path); }
  [[nodiscard]] UniqueFd open() const {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  [[nodiscard]] std::string read(const char* name) const {
    std::ifstream file(path / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path path;
};

}  // namespace

TEST_CASE("no name leaves the log directory") {
  const TemporaryLogs logs;
  const LogDirectory directory(logs.open());
  for (const char* bad : {"..", ".", "", "a/b", "_gateway", "A"}) {
    CHECK_FALSE(directory.open_app({bad, "site"}, Missing::kCreate).ok());
    CHECK_FALSE(directory.open_app({"acme", bad}, Missing::kCreate).ok());
  }
  CHECK(directory.open_app({"acme", "site"}, Missing::kFail).error().code == ErrorCode::kNotFound);
  CHECK(directory.open_app({"acme", "site"}, Missing::kCreate).ok());
  CHECK(directory.open_app(kGatewayLog, Missing::kCreate).ok());
}

TEST_CASE("a link in place of a directory is refused") {
  const TemporaryLogs logs;
  const TemporaryLogs elsewhere;
  const LogDirectory directory(logs.open());
  fs::create_directory_symlink(elsewhere.path, logs.path / "acme");
  CHECK_FALSE(directory.open_app({"acme", "site"}, Missing::kCreate).ok());
  CHECK(fs::is_empty(elsewhere.path));
}

TEST_CASE("a file rotates before it passes its size, and only so many are kept") {
  const TemporaryLogs logs;
  const LogDirectory directory(logs.open());
  const ManualClock clock;
  RotatingFile file(directory, clock, {"acme", "site"}, "app.log");
  const std::string line = std::string(60'000, 'x') + "\n";
  const int per_file = static_cast<int>(RotatingFile::kMaxFileBytes / static_cast<std::int64_t>(line.size()));
  for (int i = 0; i < per_file * 8; ++i) {
    file.append(line);
    file.flush();
  }
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(logs.path / "acme/site")) {
    ++files;
    CHECK(static_cast<std::int64_t>(entry.file_size()) <= RotatingFile::kMaxFileBytes);
    CHECK(entry.file_size() % line.size() == 0);
  }
  CHECK(files == RotatingFile::kKeptFiles + 1);
}

TEST_CASE("a file that cannot be written is tried again after a while, and the loss is counted") {
  const TemporaryLogs logs;
  const LogDirectory directory(logs.open());
  ManualClock clock;
  RotatingFile file(directory, clock, {"acme", "site"}, "app.log");
  fs::create_directories(logs.path / "acme/site/app.log");
  file.append("lost\n");
  file.flush();
  CHECK(file.is_failing());
  CHECK(file.take_lost_bytes() == 0);
  fs::remove(logs.path / "acme/site/app.log");
  file.append("too early\n");
  file.flush();
  CHECK(file.is_failing());
  clock.advance(RotatingFile::kRetryAfter);
  file.append("kept\n");
  file.flush();
  CHECK_FALSE(file.is_failing());
  CHECK(logs.read("acme/site/app.log") == "kept\n");
  CHECK(file.take_lost_bytes() == 15);
  CHECK(file.take_lost_bytes() == 0);
}

TEST_CASE("a FIFO in place of a log blocks nobody") {
  const TemporaryLogs logs;
  const LogDirectory directory(logs.open());
  const ManualClock clock;
  fs::create_directories(logs.path / "acme/site");
  REQUIRE(::mkfifo((logs.path / "acme/site/app.log").c_str(), 0600) == 0);
  RotatingFile file(directory, clock, {"acme", "site"}, "app.log");
  file.append("x\n");
  file.flush();
  CHECK(file.is_failing());
  const auto app = directory.open_app({"acme", "site"}, Missing::kFail);
  CHECK_FALSE(read_last_lines(app.value().get(), "app.log", 5).ok());
}

TEST_CASE("the last lines are found over several files and never more than the cap is read") {
  const TemporaryLogs logs;
  const UniqueFd directory = logs.open();
  const auto put = [&](const char* name, const std::string& text) {
    std::ofstream(logs.path / name) << text;
  };
  put("app.log", "e\nf\n");
  put("app.log.1", "c\nd\n");
  put("app.log.2", "a\nb\n");
  CHECK(read_last_lines(directory.get(), "app.log", 3).value() == std::vector<std::string>{"d", "e", "f"});
  CHECK(read_last_lines(directory.get(), "app.log", 99).value().size() == 6);
  CHECK(read_last_lines(directory.get(), "app.log", 0).value().empty());
  CHECK(read_last_lines(directory.get(), "none.log", 5).value().empty());
  std::string large;
  while (large.size() < 3 * kMaxTailBytes) large += std::string(999, 'x') + "\n";
  put("app.log", large);
  const auto lines = read_last_lines(directory.get(), "app.log", 100'000).value();
  CHECK(lines.size() * 1000 <= kMaxTailBytes);
  CHECK(lines.size() * 1000 > kMaxTailBytes - 2000);
  for (const std::string& line : lines) REQUIRE(line.size() == 999);
}
