// What a worker meets inside: each wall with its twin, the neighbouring thing that must still work.
#include <doctest/doctest.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "test_sandbox.h"

namespace rowhouse::jail {
namespace {

struct Running {
  TestHomes homes;
  TestSandbox sandbox{homes};
  Running() {
    sandbox.start();
    sandbox.wait_until_ready();
  }
  std::string shell(const std::string& command) {
    return sandbox.run({"exec", "/bin/sh", "-c", command}).output;
  }
};

const std::map<std::string, std::string> kExpected = {
    // forbidden
    {"own-program", "EACCES"},
    {"usr", "EROFS"},
    {"etc", "EROFS"},
    {"root", "EROFS"},
    {"dev", "EROFS"},
    {"shadow", "ENOENT"},
    {"sysctl", "EACCES"},
    {"sysrq", "absent or EACCES"},
    {"steward-memory", "EACCES"},
    {"steward-environment", "EACCES"},
    {"steward-root", "EACCES"},
    {"steward-descriptors", "EACCES"},
    {"cgroupfs", "ENOENT"},
    {"chmod-null", "EROFS"},
    {"mknod-device", "EPERM"},
    {"setuid", "EPERM"},
    {"setgid", "EPERM"},
    {"setgroups", "EPERM"},
    {"own-comm", "EACCES"},
    {"own-oom-score", "EACCES"},
    {"rlimit-files", "EPERM"},
    {"rlimit-core", "EPERM"},
    {"nice", "EACCES"},
    {"real-time", "EPERM"},
    {"mount", "EPERM"},
    {"umount", "EPERM"},
    {"fsopen", "EPERM"},
    {"open_tree", "EPERM"},
    {"pivot_root", "EPERM"},
    {"chroot", "EPERM"},
    {"setns", "EPERM"},
    {"unshare-user", "EPERM"},
    {"clone-user", "EPERM"},
    {"clone3", "ENOSYS"},
    {"ptrace", "EPERM"},
    {"process_vm_readv", "EPERM"},
    {"keyctl", "EPERM"},
    {"bpf", "EPERM"},
    {"perf", "EPERM"},
    {"userfaultfd", "ENOSYS"},
    {"io_uring", "ENOSYS"},
    {"future", "ENOSYS"},
    {"personality", "EPERM"},
    {"socket-packet", "EAFNOSUPPORT"},
    {"socket-raw", "EPROTONOSUPPORT"},
    {"socket-vsock", "EAFNOSUPPORT"},
    {"socket-netlink-audit", "EPROTONOSUPPORT"},
    // allowed
    {"mknod-fifo", "0"},
    {"null", "0"},
    {"urandom", "0"},
    {"stdout", "0"},
    {"home", "0"},
    {"tmp", "0"},
    {"shm", "0"},
    {"kill-steward", "0"},
    {"signal-self", "0"},
    {"unshare-files", "0"},
    {"socket-netlink-route", "0"},
    {"socket-tcp", "0"},
};

}  // namespace

TEST_CASE_FIXTURE(Running, "each forbidden call fails as it should and its allowed twin works") {
  std::istringstream lines(sandbox.run({"calls"}).output);
  std::map<std::string, std::string> found;
  for (std::string name, error; lines >> name >> error;) found[name] = error;
  if (found["sysrq"] == "ENOENT" || found["sysrq"] == "EACCES") found["sysrq"] = "absent or EACCES";
  std::map<std::string, std::string> wanted = kExpected;
  if (kernel_landlock_abi() == 0) wanted["own-comm"] = wanted["own-oom-score"] = "0";
  for (const auto& [name, error] : wanted) {
    CAPTURE(name);
    CHECK(found[name] == error);
  }
  CHECK(found.size() == kExpected.size());
  CHECK(sandbox.run({"descriptors"}).output == "0\n1\n2\n3\n4\n");  // the steward outlived the kill
}

TEST_CASE_FIXTURE(
    Running,
    "the kernel shows the tenant's ids, no capability, no_new_privs and a filter, also after another exec") {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"show", "/proc/self/status"}, {"exec", "/bin/cat", "/proc/self/status"}}) {
    const std::string status = sandbox.run(command).output;
    for (const char* line :
         {"Uid:\t61001\t61001\t61001\t61001\n", "Gid:\t61001\t61001\t61001\t61001\n", "Groups:\t \n",
          "CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
          "CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
          "Seccomp_filters:\t2\n", "SigBlk:\t0000000000000000\n", "SigIgn:\t0000000000000000\n",
          "Umask:\t0022\n"}) {
      CAPTURE(line);
      CHECK(status.find(line) != std::string::npos);
    }
  }
}

TEST_CASE_FIXTURE(Running, "of all homes only the own one exists") {
  CHECK(shell("ls " + homes.base()) == "acme\n");
  CHECK(shell("cat ~/secret") == "of 61001");
  CHECK(shell("cat " + homes.neighbour() + "/secret").find("No such file") != std::string::npos);
  CHECK(shell("cat ~/../globex/secret").find("No such file") != std::string::npos);
}

TEST_CASE_FIXTURE(Running, "the root holds what was given and nothing else") {
  std::istringstream listed(shell("ls -A /"));
  std::set<std::string> names;
  for (std::string name; listed >> name;) names.insert(name);
  for (const char* link : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) names.erase(link);
  CHECK(names == std::set<std::string>{".rowhouse", "dev", "etc", "proc", "run", "sys", "tmp", "usr", "var"});
  CHECK(shell("ls -A /run /sys /var").find("/var:\nrun\ntmp\n") != std::string::npos);
  CHECK(shell("ls -A /dev") == "fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n");
}

TEST_CASE_FIXTURE(Running, "every mount is nosuid, every writable one nodev, and only four are writable") {
  std::istringstream lines(sandbox.run({"show", "/proc/self/mountinfo"}).output);
  std::set<std::string> writable;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, point, options;
    words >> id >> parent >> device >> root >> point >> options;
    CAPTURE(line);
    const std::string flags = "," + options + ",";
    CHECK(flags.find(",nosuid,") != std::string::npos);
    CHECK(line.find(" shared:") == std::string::npos);
    CHECK(line.find(" master:") == std::string::npos);
    if (flags.find(",ro,") != std::string::npos) continue;
    CHECK(flags.find(",nodev,") != std::string::npos);
    writable.insert(point);
  }
  // /proc itself is writable where the kernel allows a process its own files.
  CHECK(writable == std::set<std::string>{homes.home(), "/tmp", "/var/tmp", "/dev/shm", "/proc"});
}

TEST_CASE_FIXTURE(Running, "a full /tmp says so, by bytes and by files, and other tmpfs are not touched") {
  CHECK(shell("head -c 3000000 /dev/zero > /tmp/big").find("No space left") != std::string::npos);
  CHECK(shell("echo kept > /var/tmp/a && cat /var/tmp/a") == "kept\n");
  CHECK(shell("for i in $(seq 100); do : > /dev/shm/$i || exit; done").find("No space left") !=
        std::string::npos);
  CHECK(shell("rm /tmp/big; head -c 900000 /dev/zero > /tmp/big && echo fits") == "fits\n");
}

TEST_CASE_FIXTURE(Running,
                  "only processes of the sandbox are in /proc, and the steward says nothing of itself") {
  CHECK(shell("ls -d /proc/[0-9]* | wc -l").size() <= 3);
  CHECK(shell("cat /proc/1/maps").find("Permission denied") != std::string::npos);
  CHECK(shell("readlink /proc/1/cwd; echo $?") == "1\n");
}

TEST_CASE_FIXTURE(Running, "what tells about the kernel is empty") {
  CHECK(shell("cat /proc/kcore /proc/keys /proc/timer_list /proc/kallsyms /proc/kmsg /proc/sched_debug "
              "2>/dev/null")
            .empty());
  CHECK(shell("ls -A /proc/acpi /proc/scsi 2>/dev/null | grep -v '^/proc' | tr -d '\\n'").empty());
  CHECK_FALSE(shell("cat /proc/meminfo /proc/cpuinfo").empty());
  CHECK(
      shell(
          "for name in kcore keys key-users timer_list kallsyms kmsg sched_debug latency_stats acpi scsi sys "
          "irq bus fs; do "
          "[ ! -e /proc/$name ] || grep -q \" /proc/$name ro,\" /proc/self/mountinfo || echo $name; done") ==
      "");
}

TEST_CASE_FIXTURE(Running, "/etc knows this tenant only, and its name is the host name") {
  CHECK(shell("cat /etc/passwd") == "acme:x:61001:61001::" + homes.home() + ":/bin/sh\n");
  CHECK(shell("cat /etc/group") == "acme:x:61001:\n");
  CHECK(shell("id -un; id -gn; uname -n; pwd") == "acme\nacme\nacme\n/\n");
  CHECK(shell("test -e /etc/ld.so.cache && ls /etc/alternatives | grep . > /dev/null && echo there") ==
        "there\n");
  CHECK(shell("grep -c localhost /etc/hosts") == "2\n");
}

TEST_CASE_FIXTURE(
    Running,
    "files are made with umask 022, limits are hard, and the OOM killer's preference cannot be lowered") {
  CHECK(shell("touch /tmp/x; stat -c %a /tmp/x") == "644\n");
  CHECK(shell("ulimit -Hn; ulimit -Hc; ulimit -Sn") == "512\n0\n512\n");
  CHECK(shell("cat /proc/self/oom_score_adj") == "500\n");
  CHECK(shell("echo 0 > /proc/self/oom_score_adj").find("ermission denied") != std::string::npos);
}

TEST_CASE_FIXTURE(Running, "a set-uid program gains nothing") {
  CHECK(shell("for f in /usr/bin/su /usr/bin/newgrp /usr/bin/passwd; do [ -u $f ] && echo set-uid && break; "
              "done") == "set-uid\n");
  CHECK(shell("python=/usr/bin/python3; $python -c 'import os; print(os.geteuid())'") == "61001\n");
  CHECK(shell("su -c id root </dev/null; echo $?").find("uid=0") == std::string::npos);
}

TEST_CASE("a prefix below a directory that nobody may enter works, at its own path and read-only") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  const std::string prefix = homes.base() + "/closed/python";
  REQUIRE(::system(("mkdir -p " + prefix + " && echo here > " + prefix + "/file && chmod 700 " +
                    homes.base() + "/closed")
                       .c_str()) == 0);
  sandbox.prefixes = {prefix};
  sandbox.start();
  sandbox.wait_until_ready();
  CHECK(sandbox.run({"exec", "/bin/cat", prefix + "/file"}).output == "here\n");
  CHECK(
      sandbox.run({"exec", "/bin/sh", "-c", "echo x > " + prefix + "/file 2>&1"}).output.find("Read-only") !=
      std::string::npos);
}

TEST_CASE("a private network has a loopback of its own and nothing else") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.network = proto::NetworkMode::kPrivate;
  sandbox.extra_clone_flags = CLONE_NEWNET;
  sandbox.start();
  sandbox.wait_until_ready();
  const Outcome outcome = sandbox.run_python(
      "import socket; print([name for _, name in socket.if_nameindex()])\n"
      "s=socket.create_server(('127.0.0.1', 0)); c=socket.create_connection(s.getsockname()); "
      "print('connected')\n"
      "try: socket.create_connection(('192.0.2.1', 80), 1)\n"
      "except OSError as e: print(e.errno)\n");
  CHECK(outcome.output == "['lo']\nconnected\n101\n");
}

TEST_CASE("with a list of ports a program connects to those and to no other") {
  constexpr int kAbiWithNetwork = 4;
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.network = proto::NetworkMode::kPrivate;  // so that the ports are the test's own
  sandbox.extra_clone_flags = CLONE_NEWNET;
  sandbox.ports = {5432, 443};
  sandbox.start();
  const std::uint32_t missing = sandbox.wait_until_ready();
  const bool has_wall = kernel_landlock_abi() >= kAbiWithNetwork;
  CHECK(((missing & static_cast<std::uint32_t>(proto::Wall::kConnectPorts)) == 0) == has_wall);
  const Outcome outcome = sandbox.run_python(
      "import socket\n"
      "for port in (5432, 5433):\n"
      "  s=socket.create_server(('127.0.0.1', port))\n"
      "  try: socket.create_connection(s.getsockname()); print('connected')\n"
      "  except OSError as e: print(e.errno)\n"
      "s=socket.create_server(('127.0.0.1', 8000)); print('listens')\n");
  CHECK(outcome.output == (has_wall ? "connected\n13\nlistens\n" : "connected\nconnected\nlistens\n"));
}

TEST_CASE("the directory of an allowed socket is there, read-only, and its socket can be connected to") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  const std::string directory = homes.base() + "/database";
  REQUIRE(::system(("mkdir " + directory).c_str()) == 0);
  const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory + "/socket";
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(server.get(), 1) == 0);
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  sandbox.prefixes = {directory};
  sandbox.start();
  sandbox.wait_until_ready();
  const Outcome outcome =
      sandbox.run_python("import socket, os; socket.socket(socket.AF_UNIX).connect('" + path +
                         "'); print('connected', os.path.realpath('/var/run'))\n"
                         "try: open('" +
                         directory +
                         "/x', 'w')\n"
                         "except OSError as e: print(e.errno)\n");
  CHECK((outcome.output == "connected /run\n13\n" || outcome.output == "connected /run\n30\n"));
}

TEST_CASE("two sandboxes of one tenant share neither /tmp nor processes nor IPC nor abstract sockets") {
  const TestHomes homes;
  TestSandbox one(homes), two(homes);
  for (TestSandbox* sandbox : {&one, &two}) {
    sandbox->start();
    sandbox->wait_until_ready();
  }
  TestWorker holder = one.spawn(
      100,
      {"exec", "/usr/bin/python3", "-c",
       "import socket,time; s=socket.socket(socket.AF_UNIX); s.bind('\\0rowhouse-test'); s.listen();"
       "open('/tmp/mark','w'); open('/dev/shm/mark','w'); print('holding', flush=True); time.sleep(60)"});
  one.await_born(holder);
  one.go(holder);
  char text[8];
  REQUIRE(::read(holder.log.get(), text, sizeof text) == 8);
  const Outcome seen = two.run_python(
      "import os, socket\n"
      "print(os.listdir('/tmp'), os.listdir('/dev/shm'))\n"
      "try: socket.socket(socket.AF_UNIX).connect('\\0rowhouse-test'); print('connected')\n"
      "except OSError as e: print(e.errno)\n");
  const bool has_scopes = kernel_landlock_abi() >= kAbiWithScopes;
  CHECK(seen.output == (has_scopes ? "[] []\n1\n" : "[] []\nconnected\n"));
}

}  // namespace rowhouse::jail
