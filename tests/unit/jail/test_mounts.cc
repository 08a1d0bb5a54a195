// What the host's mounts do to a sandbox: their submounts, their flags, and what is mounted later.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "test_sandbox.h"

namespace rowhouse::jail {
namespace {

void run_on_host(const std::string& command) {
  REQUIRE(std::system(command.c_str()) == 0);
}

}  // namespace

TEST_CASE("a mount of the host's below /usr is there, read-only") {
  const TestHomes homes;
  run_on_host("mount -t tmpfs none /usr/local/games && echo here > /usr/local/games/file");
  TestSandbox sandbox(homes);
  sandbox.start();
  sandbox.wait_until_ready();
  CHECK(sandbox.run({"show", "/usr/local/games/file"}).output == "here\n");
  CHECK(sandbox.run({"show", "/proc/self/mountinfo"}).output.find(" /usr/local/games ro,nosuid,nodev") !=
        std::string::npos);
  run_on_host("umount /usr/local/games");
}

TEST_CASE("what the host mounts later below a prefix does not travel into a sandbox that stands") {
  const TestHomes homes;
  const std::string prefix = homes.base() + "/python";
  run_on_host("mkdir -p " + prefix + " && mount -t tmpfs none " + prefix + " && mkdir " + prefix + "/lib");
  REQUIRE(::mount(nullptr, prefix.c_str(), nullptr, MS_SHARED, nullptr) == 0);
  TestSandbox sandbox(homes);
  sandbox.prefixes = {prefix};
  sandbox.start();
  sandbox.wait_until_ready();
  run_on_host("mount -t tmpfs none " + prefix + "/lib && echo later > " + prefix + "/lib/file");
  CHECK(sandbox.run({"show", prefix + "/lib/file"}).output == prefix + "/lib/file: ENOENT\n");
  CHECK(sandbox.run({"show", "/proc/self/mountinfo"}).output.find(" shared:") == std::string::npos);
  run_on_host("umount -l " + prefix);
}

TEST_CASE("a home on a mount without execution stays without, another one executes") {
  const std::string copy_and_run = "cp /bin/true ~/true && ~/true && echo ran";
  const TestHomes homes, plain;
  run_on_host("mount --bind " + homes.home() + " " + homes.home() + " && mount -o remount,bind,noexec " +
              homes.home());
  TestSandbox closed(homes), open(plain);
  for (TestSandbox* sandbox : {&closed, &open}) {
    sandbox->start();
    sandbox->wait_until_ready();
  }
  CHECK(closed.run({"exec", "/bin/sh", "-c", copy_and_run}).output.find("Permission denied") !=
        std::string::npos);
  CHECK(open.run({"exec", "/bin/sh", "-c", copy_and_run}).output == "ran\n");
}

TEST_CASE("a home below /tmp is at its place, and the rest of the host's /tmp is not") {
  const TestHomes homes;
  const std::string directory = "/tmp/rowhouse-jail-test";
  const std::string home = directory + "/home";
  run_on_host("rm -rf " + directory + " && mkdir -p " + home + " && chown 61001 " + home + " && chmod 755 " +
              directory);
  TestSandbox sandbox(homes);
  sandbox.setup.home = proto::Path::cut(home);
  sandbox.start();
  sandbox.wait_until_ready();
  CHECK(sandbox.run({"exec", "/bin/sh", "-c", "touch ~/made; ls -A /tmp ~"}).output ==
        "/tmp:\nrowhouse-jail-test\n\n" + home + ":\nmade\n");
  run_on_host("test -e " + home + "/made && rm -rf " + directory);
}

}  // namespace rowhouse::jail
