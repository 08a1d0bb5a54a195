#include "filter_machine.h"

#include <linux/audit.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "supervisor/jail/seccomp_filters.h"

namespace rowhouse::jail {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

bool jumps(std::uint16_t operation, std::uint32_t accumulator, std::uint32_t k) {
  switch (operation) {
    case BPF_JA:
      return true;
    case BPF_JEQ:
      return accumulator == k;
    case BPF_JGT:
      return accumulator > k;
    case BPF_JGE:
      return accumulator >= k;
    case BPF_JSET:
      return (accumulator & k) != 0;
    default:
      std::abort();
  }
}

// The kernel compares actions as signed numbers: SECCOMP_RET_KILL_PROCESS is the least.
std::int32_t action_of(std::uint32_t answer) {
  return static_cast<std::int32_t>(answer & SECCOMP_RET_ACTION_FULL);
}

}  // namespace

std::uint32_t run_filter(std::span<const sock_filter> filter, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < filter.size(); ++at) {
    const sock_filter& step = filter[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      default:
        if (BPF_CLASS(step.code) != BPF_JMP || BPF_SRC(step.code) != BPF_K) {
          std::fprintf(stderr, "unknown instruction %#x\n", step.code);
          std::abort();
        }
        at += jumps(BPF_OP(step.code), accumulator, step.k) ? step.jt : step.jf;
    }
  }
  std::abort();
}

std::uint32_t answer_to(const seccomp_data& data) {
  const std::uint32_t earlier = run_filter(kArgumentFilter, data), later = run_filter(kNumberFilter, data);
  return action_of(earlier) < action_of(later) ? earlier : later;
}

std::uint32_t answer_to(int number, std::array<std::uint64_t, 6> arguments) {
  seccomp_data data{number, kArchitecture, 0, {}};
  std::copy(arguments.begin(), arguments.end(), data.args);
  return answer_to(data);
}

}  // namespace rowhouse::jail
