#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <set>

#include "filter_machine.h"

namespace rowhouse::jail {
namespace {

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t refused(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}
constexpr std::uint64_t kHighGarbage = std::uint64_t{0xdeadbeef} << 32, kHighBit = std::uint64_t{1} << 32;
constexpr std::uint32_t kI386 = AUDIT_ARCH_I386, kArm = AUDIT_ARCH_ARM, kPowerPc = AUDIT_ARCH_PPC64;

}  // namespace

TEST_CASE("what ordinary programs need is allowed") {
  for (const int number :
       {SYS_read, SYS_openat, SYS_mmap, SYS_mprotect, SYS_futex, SYS_clone, SYS_execve, SYS_wait4,
        SYS_sendfile, SYS_recvmsg, SYS_shmget, SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_rseq,
        SYS_getrandom, SYS_memfd_create, SYS_landlock_restrict_self}) {
    CAPTURE(number);
    CHECK(answer_to(number) == kAllow);
  }
}

TEST_CASE("calls newer than libseccomp are allowed by number where that is sensible") {
  for (const int number : {451, 452, 453, 454, 455, 456, 462}) CHECK(answer_to(number) == kAllow);
  CHECK(answer_to(467) == refused(EPERM));
}

TEST_CASE("a number from the future does not exist") {
  for (int number = 468; number < 4096; ++number) CHECK(answer_to(number) == refused(ENOSYS));
  CHECK(answer_to(-1) == refused(ENOSYS));
}

TEST_CASE("what everybody can do without does not exist") {
  for (const int number : {SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
                           SYS_userfaultfd, SYS_memfd_secret, SYS_mq_open, SYS_mq_notify}) {
    CAPTURE(number);
    CHECK(answer_to(number) == refused(ENOSYS));
  }
  for (const int number : {SYS_splice, SYS_tee, SYS_vmsplice}) CHECK(answer_to(number) == refused(EINVAL));
}

TEST_CASE("known calls of the kernel's administration are refused") {
  for (const int number :
       {SYS_mount,           SYS_umount2,       SYS_pivot_root,       SYS_chroot,
        SYS_fsopen,          SYS_fsconfig,      SYS_fsmount,          SYS_fspick,
        SYS_open_tree,       SYS_move_mount,    SYS_mount_setattr,    SYS_setns,
        SYS_add_key,         SYS_keyctl,        SYS_request_key,      SYS_bpf,
        SYS_perf_event_open, SYS_ptrace,        SYS_process_vm_readv, SYS_process_vm_writev,
        SYS_process_madvise, SYS_kcmp,          SYS_pidfd_getfd,      SYS_name_to_handle_at,
        SYS_fanotify_init,   SYS_quotactl,      SYS_quotactl_fd,      SYS_acct,
        SYS_syslog,          SYS_settimeofday,  SYS_clock_settime,    SYS_clock_adjtime,
        SYS_adjtimex,        SYS_sethostname,   SYS_setdomainname,    SYS_lookup_dcookie,
        SYS_vhangup,         SYS_migrate_pages, SYS_move_pages}) {
    CAPTURE(number);
    CHECK(answer_to(number) == refused(EPERM));
  }
}

TEST_CASE("what no web application ever calls is trapped") {
  for (const int number : {SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot,
                           SYS_open_by_handle_at, SYS_swapon, SYS_swapoff}) {
    CAPTURE(number);
    CHECK(answer_to(number) == SECCOMP_RET_TRAP);
  }
}

TEST_CASE("a foreign architecture and the x32 bit kill") {
  for (const std::uint32_t architecture : {kI386, kArm, kPowerPc}) {
    CHECK(answer_to(seccomp_data{SYS_getpid, architecture, 0, {}}) == SECCOMP_RET_KILL_PROCESS);
  }
#if defined(__x86_64__)
  for (int number = 0; number < 600; ++number)
    CHECK(answer_to(number | 0x40000000) == SECCOMP_RET_KILL_PROCESS);
#endif
}

TEST_CASE("every namespace flag is refused to clone and unshare, alone and among others") {
  for (unsigned bit = 0; bit < 32; ++bit) {
    CAPTURE(bit);
    const std::uint64_t flag = 1ULL << bit;
    const bool is_namespace = (flag & 0x7E020000) != 0;
    for (const std::uint64_t flags : {flag, flag | CLONE_FS | 17, flag | kHighGarbage}) {
      CHECK(answer_to(SYS_clone, {flags}) == (is_namespace ? refused(EPERM) : kAllow));
      const bool is_refused = is_namespace || (flags & CLONE_NEWTIME) != 0;
      CHECK(answer_to(SYS_unshare, {flags}) == (is_refused ? refused(EPERM) : kAllow));
    }
  }
  CHECK(answer_to(SYS_clone, {0x003d0f00}) == kAllow);  // pthread_create
}

TEST_CASE("personality takes its five harmless values only") {
  const std::set<std::uint64_t> harmless = {0, 8, 0x20000, 0x20008, 0xffffffff};
  for (const std::uint64_t value : harmless) CHECK(answer_to(SYS_personality, {value}) == kAllow);
  for (std::uint64_t value = 0; value < 0x40000; ++value) {
    if (harmless.contains(value)) continue;
    REQUIRE(answer_to(SYS_personality, {value}) == refused(EPERM));
  }
  for (const std::uint64_t value :
       {0x0040000ul, 0x0400000ul, 0xfffffffeul, 0x80000000ul, kHighGarbage | 0x40000}) {
    CHECK(answer_to(SYS_personality, {value}) == refused(EPERM));
  }
}

TEST_CASE("devices cannot be made, everything else can") {
  for (const std::uint64_t garbage : {std::uint64_t{0}, kHighGarbage}) {
    for (const std::uint64_t type : {S_IFCHR, S_IFBLK}) {
      CHECK(answer_to(SYS_mknodat, {0, 0, type | 0666 | garbage}) == refused(EPERM));
    }
    for (const std::uint64_t type : {0, S_IFREG, S_IFIFO, S_IFSOCK}) {
      CHECK(answer_to(SYS_mknodat, {0, 0, type | 0666 | garbage}) == kAllow);
    }
  }
}

TEST_CASE("a terminal's input cannot be written, whatever is in the upper half of the request") {
  for (const std::uint64_t garbage : {std::uint64_t{0}, kHighGarbage, kHighBit}) {
    CHECK(answer_to(SYS_ioctl, {0, TIOCSTI | garbage}) == refused(EPERM));
    CHECK(answer_to(SYS_ioctl, {0, 0x541C | garbage}) == refused(EPERM));
    CHECK(answer_to(SYS_ioctl, {0, FIONBIO | garbage}) == kAllow);
  }
}

TEST_CASE("sockets are UNIX, TCP, UDP and route netlink, by the whole table") {
  for (std::uint64_t family = 0; family < 64; ++family) {
    for (std::uint64_t type = 0; type < 16; ++type) {
      for (std::uint64_t protocol = 0; protocol < 300; ++protocol) {
        const bool is_inet = family == AF_INET || family == AF_INET6;
        const bool known = is_inet || family == AF_UNIX || family == AF_NETLINK;
        const bool plain =
            (type == SOCK_STREAM || type == SOCK_DGRAM) && (protocol == 0 || protocol == 6 || protocol == 17);
        std::uint32_t wanted = known ? kAllow : refused(EAFNOSUPPORT);
        if ((is_inet && !plain) || (family == AF_NETLINK && protocol != 0)) wanted = refused(EPROTONOSUPPORT);
        const std::uint32_t answer = answer_to(SYS_socket, {family, type, protocol});
        const std::uint32_t flagged =
            answer_to(SYS_socket,
                      {family | kHighGarbage, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol | kHighGarbage});
        REQUIRE_MESSAGE(answer == wanted, family << " " << type << " " << protocol);
        REQUIRE_MESSAGE(flagged == wanted, family << " " << type << " " << protocol);
      }
    }
  }
  CHECK(answer_to(SYS_socket, {0xffffffff, SOCK_STREAM, 0}) == refused(EAFNOSUPPORT));
  CHECK(answer_to(SYS_socketpair, {AF_UNIX, SOCK_SEQPACKET, 0}) == kAllow);
  CHECK(answer_to(SYS_socketpair, {AF_TIPC, SOCK_SEQPACKET, 0}) == refused(EAFNOSUPPORT));
}

TEST_CASE("upper-layer protocols and UDP encapsulation cannot be switched on") {
  for (const std::uint64_t garbage : {std::uint64_t{0}, kHighGarbage}) {
    CHECK(answer_to(SYS_setsockopt, {3, IPPROTO_TCP | garbage, 31 | garbage}) == refused(ENOPROTOOPT));
    CHECK(answer_to(SYS_setsockopt, {3, IPPROTO_UDP | garbage, 100 | garbage}) == refused(ENOPROTOOPT));
    CHECK(answer_to(SYS_setsockopt, {3, IPPROTO_TCP | garbage, 1 | garbage}) == kAllow);
    CHECK(answer_to(SYS_setsockopt, {3, SOL_SOCKET | garbage, 31 | garbage}) == kAllow);
  }
}

}  // namespace rowhouse::jail
