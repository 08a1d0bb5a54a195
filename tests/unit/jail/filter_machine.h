// Runs a seccomp filter as the kernel does (classic BPF on seccomp_data, seccomp(2)), so that a test can ask
// for every number and argument without making the call.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <span>

namespace rowhouse::jail {

// The action with its data: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM ...
// Ends the test program at an instruction that libseccomp never writes.
std::uint32_t run_filter(std::span<const sock_filter> filter, const seccomp_data& data);

// The answer of both filters together, taken as the kernel takes it: the stricter action; of equal actions
// the later filter's.
std::uint32_t answer_to(const seccomp_data& data);
std::uint32_t answer_to(int number, std::array<std::uint64_t, 6> arguments = {});

}  // namespace rowhouse::jail
