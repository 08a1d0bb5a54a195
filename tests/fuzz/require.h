// What must hold, whatever the input: a fuzz target that finds otherwise ends there, also without assertions.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace rowhouse {

inline void require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", claim);
  std::abort();
}

}  // namespace rowhouse
