// What the supervisor reads from the kernel and from files beside it.
#include <doctest/doctest.h>
#include <unistd.h>

#include "base/cgroup_mounts.h"
#include "proto/python_table.h"
#include "supervisor/cgroup_files.h"

using namespace rowhouse;
using namespace rowhouse::proto;
using namespace rowhouse::supervisor;

TEST_CASE("v1 controllers and a v2 tree are found, bind mounts of a part are not") {
  const auto mounts = parse_cgroup_mounts(
      "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
      "31 25 0:27 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
      "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "33 25 0:27 /docker/abc /mnt/part rw - cgroup cgroup rw,memory\n"
      "34 25 0:29 / /proc rw - proc proc rw\n");
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[0].has("cpu"));
  CHECK_FALSE(mounts[0].unified);
  CHECK(mounts[1].has("memory"));
  CHECK(mounts[1].path == "/sys/fs/cgroup/memory");
  CHECK(mounts[2].unified);
}

TEST_CASE("a line that is no mount is passed over") {
  CHECK(parse_cgroup_mounts("rubbish\n\n - \n").empty());
}

TEST_CASE("the table of Pythons is version, program, prefix") {
  const auto rows = parse_python_table("3.11 rowhouse-worker-python3.11 /usr\n3.13 w /opt/my python\n");
  REQUIRE(rows.ok());
  REQUIRE(rows.value().size() == 2);
  CHECK(rows.value()[0].version == "3.11");
  CHECK(rows.value()[1].prefix == "/opt/my python");
}

TEST_CASE("a table row that names another directory or no prefix is refused") {
  CHECK_FALSE(parse_python_table("3.11 ../evil /usr\n").ok());
  CHECK_FALSE(parse_python_table("3.11 worker usr\n").ok());
  CHECK_FALSE(parse_python_table("3.11\n").ok());
}

TEST_CASE("different run directories get different cgroup names") {
  CHECK(name_hash("/run/rowhouse").size() == 8);
  CHECK(name_hash("/run/rowhouse") != name_hash("/run/rowhouse2"));
  CHECK(name_hash("/run/rowhouse") == name_hash("/run/rowhouse"));
}

TEST_CASE("the parent of a process is known, and that of one that does not exist is 0") {
  CHECK(parent_of(::getpid()) == ::getppid());
  CHECK(parent_of(0) == 0);
}
