#include <doctest/doctest.h>
#include <fcntl.h>

#include <string_view>

#include "base/message_socket.h"
#include "proto/lifeline.h"
#include "supervisor/jail/request.h"

namespace rowhouse::jail {
using namespace std::string_view_literals;
namespace {

proto::JailSetup good_setup() {
  proto::JailSetup setup;
  setup.uid = setup.gid = 61001;
  setup.tenant = proto::Name::cut("acme");
  setup.app = proto::Name::cut("site");
  setup.user = proto::Name::cut("acme");
  setup.home = proto::Path::cut("/home/acme");
  setup.open_files = 1024;
  setup.tmp_bytes = 1 << 20;
  setup.tmp_inodes = 100;
  return setup;
}

proto::JailMount mount_at(std::string_view path) {
  return {proto::Path::cut(path)};
}

struct Wire {
  SocketPair pair = std::move(create_seqpacket_pair()).value();
  UniqueFd some{::open("/dev/null", O_PATH | O_CLOEXEC)};
  void send_mount(std::string_view path) {
    REQUIRE(proto::send_control(pair.ours.get(), mount_at(path), {some.get()}).ok());
  }
  void send_setup() { REQUIRE(proto::send_control(pair.ours.get(), good_setup()).ok()); }
  Result<SandboxRequest> receive() { return receive_request(pair.theirs.get()); }
};

}  // namespace

TEST_CASE("a good request is taken") {
  CHECK(check_setup(good_setup()).ok());
}

TEST_CASE("an id of root, nobody, or the number that means unchanged is refused") {
  for (const std::uint32_t id : {0u, 65534u, 65535u, 0xffffffffu}) {
    proto::JailSetup setup = good_setup();
    setup.uid = id;
    CHECK_FALSE(check_setup(setup).ok());
    setup = good_setup();
    setup.gid = id;
    CHECK_FALSE(check_setup(setup).ok());
  }
}

TEST_CASE("a limit of zero, which means no limit to tmpfs, is refused") {
  proto::JailSetup bytes = good_setup(), inodes = good_setup(), files = good_setup();
  bytes.tmp_bytes = 0;
  inodes.tmp_inodes = 0;
  files.open_files = 0;
  CHECK_FALSE(check_setup(bytes).ok());
  CHECK_FALSE(check_setup(inodes).ok());
  CHECK_FALSE(check_setup(files).ok());
}

TEST_CASE("a name that would write a second line of /etc/passwd is refused") {
  for (const std::string_view name : {""sv, "a:b"sv, "a\nroot"sv, "a b"sv, "-a"sv, "a/b"sv, "a\0b"sv}) {
    proto::JailSetup setup = good_setup();
    setup.user = proto::Name::cut(name);
    CHECK_FALSE(check_setup(setup).ok());
  }
}

TEST_CASE("a user of a directory service keeps its name, a tenant with such a name is refused") {
  proto::JailSetup setup = good_setup();
  setup.user = proto::Name::cut("CORP\\joe.doe@example");
  CHECK(check_setup(setup).ok());
  setup.tenant = setup.user;
  CHECK_FALSE(check_setup(setup).ok());
}

TEST_CASE("a home that is not one absolute path in normal form is refused") {
  for (const std::string_view home :
       {"", "/", "home", "/home/", "/home//a", "/home/../a", "/home/.", "/a:b", "/a\nb"}) {
    proto::JailSetup setup = good_setup();
    setup.home = proto::Path::cut(home);
    CHECK_FALSE(check_setup(setup).ok());
  }
}

TEST_CASE("a home among the system's directories is refused, one with a similar name is not") {
  for (const std::string_view home :
       {"/usr", "/usr/home/acme", "/etc/acme", "/dev/shm/a", "/proc/1", "/.rowhouse/a"}) {
    proto::JailSetup setup = good_setup();
    setup.home = proto::Path::cut(home);
    CHECK_FALSE(check_setup(setup).ok());
  }
  proto::JailSetup setup = good_setup();
  setup.home = proto::Path::cut("/usrlocal/acme");
  CHECK(check_setup(setup).ok());
}

TEST_CASE("a mount on the sandbox's own directories is refused") {
  CHECK(check_mount_path("/opt/python3.12").ok());
  CHECK(check_mount_path("/usr/local/python3.12").ok());
  for (const std::string_view path : {"/proc/sys", "/etc", "/dev", "/.rowhouse/worker", "/", "opt"}) {
    CHECK_FALSE(check_mount_path(path).ok());
  }
}

TEST_CASE("files to look at lie below the home, and are few") {
  Wire good, outside, many;
  const auto watch = [](const Wire& wire, std::string_view path) {
    REQUIRE(proto::send_control(wire.pair.ours.get(), proto::JailWatch{proto::Path::cut(path)}).ok());
  };
  for (Wire* wire : {&good, &outside, &many}) wire->send_mount(proto::kWorkerPathInSandbox);
  watch(good, "/home/acme/tmp/restart.txt");
  watch(good, "/home/acme/a:b/app.py");
  good.send_setup();
  const auto request = good.receive();
  REQUIRE(request.ok());
  CHECK(request.value().touches.size() == 2);
  for (const std::string_view path : {"", "tmp", "/home/acme", "/home/acmeX/a", "/home/acme/../a", "/home/acme//a", "/etc/passwd"}) {
    CAPTURE(path);
    CHECK_FALSE(check_touch_path(path, "/home/acme").ok());
  }
  watch(outside, "/etc/passwd");
  outside.send_setup();
  CHECK_FALSE(outside.receive().ok());
  for (std::size_t i = 0; i <= proto::kMaxTouchPaths; ++i) watch(many, "/home/acme/a");
  CHECK_FALSE(many.receive().ok());
}

TEST_CASE("the worker's mount comes first and once, then prefixes, then the setup") {
  Wire wire;
  wire.send_mount(proto::kWorkerPathInSandbox);
  wire.send_mount("/opt/python3.12");
  wire.send_setup();
  const auto request = wire.receive();
  REQUIRE(request.ok());
  CHECK(request.value().mounts.size() == 2);
  CHECK(request.value().setup.home.view() == "/home/acme");
}

TEST_CASE("a setup without a worker, a prefix first, a second worker and too many mounts are refused") {
  Wire without, prefix, twice, many;
  without.send_setup();
  CHECK_FALSE(without.receive().ok());
  prefix.send_mount("/opt/python");
  CHECK_FALSE(prefix.receive().ok());
  twice.send_mount(proto::kWorkerPathInSandbox);
  twice.send_mount(proto::kWorkerPathInSandbox);
  CHECK_FALSE(twice.receive().ok());
  many.send_mount(proto::kWorkerPathInSandbox);
  for (std::size_t i = 0; i < kMaxReceivedMounts; ++i) many.send_mount("/opt/python");
  const auto too_many = many.receive();
  REQUIRE_FALSE(too_many.ok());
  CHECK(too_many.error().code == ErrorCode::kTooLarge);
}

TEST_CASE("the end of the supervisor ends the waiting") {
  Wire wire;
  wire.pair.ours.reset();
  const auto request = wire.receive();
  REQUIRE_FALSE(request.ok());
  CHECK(request.error().code == ErrorCode::kClosed);
}

}  // namespace rowhouse::jail
