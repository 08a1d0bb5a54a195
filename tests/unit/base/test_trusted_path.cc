// The rule for paths that root relies on (OpenSSH's safe_path).  REQUIRES: root, as an owner is changed.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/trusted_path.h"

using namespace rowhouse;
using Kind = PathVerdict::Kind;

namespace {

struct Tree {
  std::string top;
  Tree() {
    char name[] = "/tmp/rowhouse-trusted-XXXXXX";  // /tmp is sticky: allowed
    top = ::mkdtemp(name);
    ::chmod(top.c_str(), 0755);
    std::filesystem::create_directories(top + "/a/b");
  }
  ~Tree() { std::filesystem::remove_all(top); }
};

}  // namespace

TEST_CASE("a directory is trusted when it is root's and others cannot write, or it is sticky") {
  CHECK(is_trusted_directory(0, 0755));
  CHECK(is_trusted_directory(0, 01777));
  CHECK_FALSE(is_trusted_directory(0, 0777));
  CHECK_FALSE(is_trusted_directory(0, 0775));
  CHECK_FALSE(is_trusted_directory(1000, 0700));
  CHECK_FALSE(is_trusted_directory(1000, 01777));
}

TEST_CASE("every directory on the path counts, and the one that is wrong is named") {
  const Tree tree;
  CHECK(judge_directory_path(tree.top + "/a/b").kind == Kind::kTrusted);
  ::chmod((tree.top + "/a").c_str(), 0777);
  const PathVerdict open = judge_directory_path(tree.top + "/a/b");
  CHECK(open.kind == Kind::kRefused);
  CHECK(open.sentence == tree.top + "/a belongs to uid 0 and has mode 0777");
  ::chmod((tree.top + "/a").c_str(), 0755);
  REQUIRE(::chown((tree.top + "/a").c_str(), 61098, 0) == 0);
  CHECK(judge_directory_path(tree.top + "/a/b").sentence ==
        tree.top + "/a belongs to uid 61098 and has mode 0755");
}

TEST_CASE("what is missing is told from what cannot be trusted") {
  const Tree tree;
  CHECK(judge_directory_path(tree.top + "/a/none").kind == Kind::kLastMissing);
  CHECK(judge_directory_path(tree.top + "/none/b").kind == Kind::kAboveMissing);
  CHECK(judge_directory_path("relative").kind == Kind::kRefused);
  std::filesystem::create_directory_symlink(tree.top + "/a", tree.top + "/link");
  CHECK(judge_directory_path(tree.top + "/link/b").sentence == tree.top + "/link is a symbolic link");
}
