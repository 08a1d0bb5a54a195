// What the jail reads from the kernel: the mount table and the status of a process.
#include <doctest/doctest.h>

#include <string>

#include "supervisor/jail/credentials.h"
#include "supervisor/jail/landlock.h"
#include "supervisor/jail/mount_table.h"

namespace rowhouse::jail {
namespace {

constexpr std::string_view kTable =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "40 30 8:3 / /usr/local/deep/er rw - ext4 /dev/sda3 rw\n"
    "30 21 8:2 / /usr/local rw,relatime shared:2 master:3 - ext4 /dev/sda2 rw\n"
    "31 21 8:2 / /usr/with\\040space rw - ext4 /dev/sda2 rw\n"
    "32 21 8:2 / /usrlocal rw - ext4 /dev/sda2 rw\n"
    "33 21 8:2 / /usr rw - ext4 /dev/sda2 rw\n"
    "34 30 8:9 / /usr/local rw - ext4 /dev/sda9 rw\n";

std::string status_of(std::string_view uid, std::string_view groups, std::string_view bounding) {
  return "Name:\tjail\nUmask:\t0022\nUid:\t" + std::string(uid) +
         "\nGid:\t61001\t61001\t61001\t61001\nFDSize:\t64\nGroups:\t" + std::string(groups) +
         "\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t" +
         std::string(bounding) + "\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n";
}

constexpr std::string_view kIds = "61001\t61001\t61001\t61001", kEmpty = "0000000000000000";

}  // namespace

TEST_CASE("mounts below a directory are found once each, parents first, without those of similar names") {
  const auto found = mounts_below(kTable, "/usr");
  REQUIRE(found.size() == 3);
  CHECK(found[0] == "/usr/local");
  CHECK(found[1] == "/usr/with space");
  CHECK(found[2] == "/usr/local/deep/er");
}

TEST_CASE("a mount table that is empty or cut short names nothing that is not in it") {
  CHECK(mounts_below("", "/usr").empty());
  CHECK(mounts_below("21 1 8:1", "/usr").empty());
  CHECK(mounts_below("\n\n", "/usr").empty());
  CHECK(mounts_below("1 2 3 / /usr/x\\04", "/usr").size() == 1);
}

TEST_CASE("a status with the tenant's ids, no group and no capability is a bare identity") {
  CHECK(shows_bare_identity(status_of(kIds, " ", kEmpty), 61001, 61001));
  CHECK(shows_bare_identity(status_of(kIds, "", kEmpty), 61001, 61001));
}

TEST_CASE("one id, one group or one capability too many is none") {
  CHECK_FALSE(shows_bare_identity(status_of(kIds, " ", kEmpty), 61002, 61001));
  CHECK_FALSE(shows_bare_identity(status_of(kIds, " ", kEmpty), 61001, 61002));
  CHECK_FALSE(shows_bare_identity(status_of("61001\t0\t61001\t61001", " ", kEmpty), 61001, 61001));
  CHECK_FALSE(shows_bare_identity(status_of(kIds, "0 ", kEmpty), 61001, 61001));
  CHECK_FALSE(shows_bare_identity(status_of(kIds, " ", "0000010000000000"), 61001, 61001));
}

TEST_CASE("a status without one of the lines proves nothing") {
  for (const std::string_view line :
       {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    std::string status = status_of(kIds, " ", kEmpty);
    status[status.find(line)] = 'x';
    CAPTURE(line);
    CHECK_FALSE(shows_bare_identity(status, 61001, 61001));
  }
}

TEST_CASE("each Landlock ABI handles the rights that it knows, and no others") {
  CHECK(handled_rights(1) == 0x1fff);
  CHECK(handled_rights(2) == 0x3fff);
  CHECK(handled_rights(3) == 0x7fff);
  CHECK(handled_rights(4) == 0x7fff);
  CHECK(handled_rights(5) == 0xffff);
  CHECK(handled_rights(7) == 0xffff);
}

TEST_CASE("no place is granted the making of devices") {
  for (const std::uint64_t rights : {kListRights, kReadRights, kDeviceRights, kWriteRights}) {
    CHECK((rights & (kMakeCharacterDevice | kMakeBlockDevice)) == 0);
  }
  CHECK((kReadRights & (kWriteFile | kTruncate | kMakeFile | kRefer)) == 0);
}

}  // namespace rowhouse::jail
