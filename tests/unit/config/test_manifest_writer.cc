// A manifest is put into a home: whole, with its mode, and nowhere else.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "base/unique_fd.h"
#include "config/manifest_writer.h"
#include "scratch.h"

namespace rowhouse::config {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

bool writes(const Scratch& scratch, const std::string& path) {
  const UniqueFd home(::open(scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Diagnostics diagnostics;
  write_manifest(home.get(), path, "apps: {}\n", diagnostics);
  return diagnostics.empty();
}

TEST_CASE("a new manifest is its owner's alone, and one that is replaced keeps its mode") {
  const Scratch scratch;
  CHECK(writes(scratch, "rowhouse.yaml"));
  CHECK(content(scratch.path("rowhouse.yaml")) == "apps: {}\n");
  CHECK(mode_of(scratch.path("rowhouse.yaml")) == 0600);
  ::chmod(scratch.write("rowhouse.yaml", "old").c_str(), 0640);
  CHECK(writes(scratch, "rowhouse.yaml"));
  CHECK(content(scratch.path("rowhouse.yaml")) == "apps: {}\n");
  CHECK(mode_of(scratch.path("rowhouse.yaml")) == 0640);
}

TEST_CASE("it may lie in a directory below the home") {
  const Scratch scratch;
  scratch.make_directory("conf");
  CHECK(writes(scratch, "conf/app.yaml"));
  CHECK(content(scratch.path("conf/app.yaml")) == "apps: {}\n");
  CHECK_FALSE(writes(scratch, "nowhere/app.yaml"));
}

TEST_CASE("no link leads it out of the home") {
  const Scratch outside;
  const std::string precious = outside.write("precious", "kept");
  const Scratch scratch;
  scratch.link(precious, "rowhouse.yaml");
  scratch.link(outside.path(), "conf");
  CHECK_FALSE(writes(scratch, "rowhouse.yaml"));
  CHECK_FALSE(writes(scratch, "conf/app.yaml"));
  scratch.link(precious, ".other.yaml.new");
  CHECK(writes(scratch, "other.yaml"));
  scratch.make_fifo("pipe.yaml");
  CHECK_FALSE(writes(scratch, "pipe.yaml"));
  CHECK(content(precious) == "kept");
}

}  // namespace
}  // namespace rowhouse::config
