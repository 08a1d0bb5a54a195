// Limits and counters: what is pure of them.
#include <doctest/doctest.h>

#include "supervisor/cgroup_usage.h"
#include "supervisor/disk.h"
#include "supervisor/ending.h"
#include "supervisor/tenant_limits.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using proto::Wall;

namespace {
std::uint32_t bit(Wall wall) {
  return static_cast<std::uint32_t>(wall);
}
}  // namespace

TEST_CASE("a weight becomes the shares that the scheduler itself would take") {
  CHECK(shares_of_weight(100) == 1024);
  CHECK(shares_of_weight(1) == 10);
  CHECK(shares_of_weight(10'000) == 102'400);
}

TEST_CASE("a weight keeps its ends and its middle on BFQ's scale") {
  CHECK(bfq_weight(1) == 1);
  CHECK(bfq_weight(100) == 100);
  CHECK(bfq_weight(10'000) == 1000);
  CHECK(bfq_weight(5050) == 550);
}

TEST_CASE("only what a plan asks for can be missing") {
  CHECK(asked_walls({}) == 0);
  CgroupLimits limits;
  limits.memory_high_bytes = 1;
  limits.cpu_weight = 99;
  limits.io_weight = 100;
  limits.io_read_bytes = 1;
  CHECK(asked_walls(limits) ==
        (bit(Wall::kMemoryHigh) | bit(Wall::kCpuWeight) | bit(Wall::kIoWeight) | bit(Wall::kIoLimit)));
  limits.io_write_bytes = 1;
  CHECK((asked_walls(limits) & bit(Wall::kIoBufferedWrites)) != 0);
}

TEST_CASE("an app's quota is never above its plan's") {
  Plan plan;
  proto::AppRecord app;
  app.cpu_percent = 150;
  CHECK(limits_of(app, plan).cpu_percent == 150);
  plan.cpu_percent = 100;
  CHECK(limits_of(app, plan).cpu_percent == 100);
  app.cpu_percent = 0;
  CHECK(limits_of(app, plan).cpu_percent == 0);
}

TEST_CASE("the io counters of all disks are added up") {
  const char* stat = "254:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:0 rbytes=5 wbytes=6\n";
  CHECK(sum_io_stat(stat, "rbytes") == 15);
  CHECK(sum_io_stat(stat, "wbytes") == 26);
  CHECK(sum_io_stat("", "rbytes") == 0);
  const char* blkio = "254:0 Read 10\n254:0 Write 20\n254:0 Total 30\n8:0 Read 5\nTotal 35\n";
  CHECK(sum_blkio(blkio, "Read") == 15);
  CHECK(sum_blkio(blkio, "Write") == 20);
}

TEST_CASE("a home lies on the mount with the longest path, and on the last one there") {
  const char* mounts =
      "26 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 26 8:1 / /home rw - ext4 /dev/sda1 rw\n"
      "31 26 0:40 / /home/tmp rw - tmpfs none rw\n"
      "32 26 8:17 / /home rw - ext4 /dev/sdb1 rw\n";
  CHECK(find_device(mounts, "/home/acme") == "8:17");
  CHECK(find_device(mounts, "/home/tmp/x") == "0:40");
  CHECK(find_device(mounts, "/homes/acme") == "254:0");
  CHECK(find_device("", "/home") == "");
  CHECK(find_device("rubbish\n\n", "/home") == "");
}

TEST_CASE("an ending carries what its leaf had counted, and a planned one no refused forks") {
  WorkerFacts facts;
  facts.oom_killed = true;
  facts.memory_bytes = 5;
  facts.forks_refused = 2;
  facts.wait_status = 9;
  CHECK(classify_ending(facts).limits.memory_bytes == 5);
  CHECK(classify_ending(facts).limits.forks_refused == 2);
  facts.decided = proto::Cause::kRestart;
  CHECK(classify_ending(facts).limits == proto::LimitFacts{});
}
