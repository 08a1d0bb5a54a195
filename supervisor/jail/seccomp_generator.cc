// Build-time program: writes the system call filters of the machine it runs on as C++ arrays.
//     seccomp-generator OUTPUT
// libseccomp gives a filter one default answer and cannot say "these values, else that errno", so there are
// two: the filter of numbers (default ENOSYS: a call from the future) and the filter of arguments (default
// allow). The jail installs both and links no libseccomp.
#include <linux/filter.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "supervisor/jail/seccomp_policy.h"

namespace {

constexpr int kNumbersLookedAt = 1024;
constexpr std::uint32_t kRefused = SCMP_ACT_ERRNO(EPERM);

void require(int result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "seccomp_generator: %s: %s\n", what, std::strerror(-result));
  std::exit(1);
}

// The number of a call; negative where this architecture does not have it.
int number_of(const char* name) {
  const int found = seccomp_syscall_resolve_name(name);
  if (found == __NR_SCMP_ERROR) require(-ENOENT, name);
  return found;
}

struct Filter {
  scmp_filter_ctx context;

  explicit Filter(std::uint32_t default_action) : context(seccomp_init(default_action)) {
    if (context == nullptr) require(-ENOMEM, "seccomp_init");
    // Also the answer to the x32 bit of x86-64, which libseccomp takes for another architecture.
    require(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "ACT_BADARCH");
    require(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2),
            "CTL_OPTIMIZE");  // binary search by number
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() { seccomp_release(context); }

  void add(std::uint32_t action, int number, std::initializer_list<scmp_arg_cmp> conditions = {}) const {
    if (number < 0) return;
    const auto count = static_cast<unsigned>(conditions.size());
    require(seccomp_rule_add_exact_array(context, action, number, count, conditions.begin()),
            "seccomp_rule_add");
  }
  void add(std::uint32_t action, const char* name,
           std::initializer_list<scmp_arg_cmp> conditions = {}) const {
    add(action, number_of(name), conditions);
  }
};

// --- the filter of numbers --------------------------------------------------------------------------------

void add_numbers(const Filter& filter) {
  std::vector<int> decided;
  for (const char* name : rowhouse::jail::kUnavailable) decided.push_back(number_of(name));
  const auto decide = [&](std::uint32_t action, int number) {
    if (number >= 0 && std::count(decided.begin(), decided.end(), number) != 0)
      require(-EEXIST, "a call in two tables");
    filter.add(action, number);
    decided.push_back(number);
  };
  for (const char* name : rowhouse::jail::kAllowed) decide(SCMP_ACT_ALLOW, number_of(name));
  for (const int number : rowhouse::jail::kAllowedNumbers) decide(SCMP_ACT_ALLOW, number);
  for (const char* name : rowhouse::jail::kTrapped) decide(SCMP_ACT_TRAP, number_of(name));
  for (const char* name : rowhouse::jail::kNotForThese) decide(SCMP_ACT_ERRNO(EINVAL), number_of(name));
  for (const int number : rowhouse::jail::kRefusedNumbers) decide(kRefused, number);
  for (int number = 0; number < kNumbersLookedAt; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name != nullptr && std::count(decided.begin(), decided.end(), number) == 0) decide(kRefused, number);
    std::free(name);
  }
}

// --- the filter of arguments ------------------------------------------------------------------------------
// The kernel takes these arguments as 32 bits, whatever the upper half of the register holds: so do we.

struct MaskedValue {
  std::uint32_t mask, value;
};

scmp_arg_cmp equals(unsigned argument, MaskedValue masked) {
  return {argument, SCMP_CMP_MASKED_EQ, masked.mask, masked.value};
}
scmp_arg_cmp equals(unsigned argument, std::uint32_t value) {
  return equals(argument, {0xffffffff, value});
}

// All values of the bits in `mask` except those listed, as few masked comparisons: the ranges between them,
// cut like networks into prefixes.
std::vector<MaskedValue> all_except(std::vector<std::uint64_t> values, std::uint64_t mask = 0xffffffff) {
  std::vector<MaskedValue> result;
  std::sort(values.begin(), values.end());
  values.push_back(mask + 1);
  std::uint64_t next = 0;
  for (const std::uint64_t excluded : values) {
    while (next < excluded) {
      std::uint64_t size = next == 0 ? mask + 1 : next & (~next + 1);
      while (next + size > excluded) size /= 2;
      result.push_back({static_cast<std::uint32_t>(mask & ~(size - 1)), static_cast<std::uint32_t>(next)});
      next += size;
    }
    next = excluded + 1;
  }
  return result;
}

void refuse_any_bit(const Filter& filter, const char* name, std::uint32_t bits) {
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((bits & bit) != 0) filter.add(kRefused, name, {equals(0, {bit, bit})});
  }
}

void add_namespaces(const Filter& filter) {
  constexpr std::uint32_t kNew = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                 CLONE_NEWPID | CLONE_NEWNET;
  static_assert(kNew == 0x7E020000);
  refuse_any_bit(filter, "clone", kNew);
  refuse_any_bit(filter, "unshare", kNew | CLONE_NEWTIME);
}

void add_personality(const Filter& filter) {
  // PER_LINUX, PER_LINUX32, each with UNAME26, and the question what it is.
  for (const MaskedValue other : all_except({0, 8, 0x20000, 0x20008, 0xffffffff})) {
    filter.add(kRefused, "personality", {equals(0, other)});
  }
}

void add_devices(const Filter& filter) {
  for (const std::uint32_t type : {S_IFBLK, S_IFCHR}) {
    filter.add(kRefused, "mknod", {equals(1, {S_IFMT, type})});
    filter.add(kRefused, "mknodat", {equals(2, {S_IFMT, type})});
  }
  constexpr std::uint32_t kTiocLinux = 0x541C;
  for (const std::uint32_t request : {std::uint32_t{TIOCSTI}, kTiocLinux})
    filter.add(kRefused, "ioctl", {equals(1, request)});
}

void add_sockets(const Filter& filter) {
  const std::uint32_t no_family = SCMP_ACT_ERRNO(EAFNOSUPPORT), no_protocol = SCMP_ACT_ERRNO(EPROTONOSUPPORT);
  constexpr std::uint32_t kTypeMask = 0xf;  // the kernel's SOCK_TYPE_MASK; the rest are flags
  for (const MaskedValue family : all_except({AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})) {
    filter.add(no_family, "socket", {equals(0, family)});
  }
  for (const MaskedValue family : all_except({AF_UNIX}))
    filter.add(no_family, "socketpair", {equals(0, family)});
  for (const std::uint32_t family : {AF_INET, AF_INET6}) {
    for (const MaskedValue type : all_except({SOCK_STREAM, SOCK_DGRAM}, kTypeMask)) {
      filter.add(no_protocol, "socket", {equals(0, family), equals(1, type)});
    }
    for (const MaskedValue protocol : all_except({0, IPPROTO_TCP, IPPROTO_UDP})) {
      filter.add(no_protocol, "socket", {equals(0, family), equals(2, protocol)});
    }
  }
  for (const MaskedValue protocol : all_except({0})) {  // NETLINK_ROUTE: getaddrinfo asks it for addresses
    filter.add(no_protocol, "socket", {equals(0, AF_NETLINK), equals(2, protocol)});
  }
}

void add_socket_options(const Filter& filter) {
  constexpr std::uint32_t kTcpUlp = 31, kUdpEncap = 100;
  const std::uint32_t no_option = SCMP_ACT_ERRNO(ENOPROTOOPT);
  filter.add(no_option, "setsockopt", {equals(1, IPPROTO_TCP), equals(2, kTcpUlp)});
  filter.add(no_option, "setsockopt", {equals(1, IPPROTO_UDP), equals(2, kUdpEncap)});
}

void add_arguments(const Filter& filter) {
  add_namespaces(filter);
  add_personality(filter);
  add_devices(filter);
  add_sockets(filter);
  add_socket_options(filter);
}

// --- output -----------------------------------------------------------------------------------------------

void write_filter(std::FILE* out, const char* name, const Filter& filter) {
  const int memory = ::memfd_create(name, MFD_CLOEXEC);
  require(seccomp_export_bpf(filter.context, memory), "seccomp_export_bpf");
  std::fprintf(out, "inline constexpr sock_filter %s[] = {\n", name);
  require(static_cast<int>(::lseek(memory, 0, SEEK_SET)), "lseek");
  sock_filter instruction;
  int count = 0;
  while (::read(memory, &instruction, sizeof instruction) == sizeof instruction) {
    std::fprintf(out, "    {0x%02x, %u, %u, 0x%08x},\n", instruction.code, instruction.jt, instruction.jf,
                 instruction.k);
    ++count;
  }
  std::fprintf(out, "};\n\n");
  ::close(memory);
  if (count == 0 || count > BPF_MAXINSNS) require(-E2BIG, name);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Filter numbers(SCMP_ACT_ERRNO(ENOSYS));
  add_numbers(numbers);
  const Filter arguments(SCMP_ACT_ALLOW);
  add_arguments(arguments);
  std::FILE* out = std::fopen(argv[1], "w");
  if (out == nullptr) require(-errno, argv[1]);
  std::fprintf(out, "// Written by seccomp-generator.\n#pragma once\n\n#include <linux/filter.h>\n\n");
  std::fprintf(out, "namespace rowhouse::jail {\n\n");
  write_filter(out, "kNumberFilter", numbers);
  write_filter(out, "kArgumentFilter", arguments);
  std::fprintf(out, "}  // namespace rowhouse::jail\n");
  return std::fclose(out) == 0 ? 0 : 1;
}
