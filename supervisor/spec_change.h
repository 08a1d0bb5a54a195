// How what a manifest says now about an app differs from what is in force, and what it takes to bring it in force.
#pragma once

#include "supervisor/registry.h"

namespace rowhouse::supervisor {

enum class SpecChange : std::uint8_t {
  kNone,
  kLive,     // gateways and limits only: no process notices
  kRestart,  // what a worker is started with: a new generation
};

// Compares the settings, routes, prefixes and the bytes of the gateway parts.  Directories of static files cannot be compared without asking the
// tenant's file system, so an app that has any is told to the gateways again.
[[nodiscard]] SpecChange compare_specs(const AppSpec& now, const AppSpec& fresh);
// Byte by byte; two worker parts are one when nothing in them differs.  Nothing is parsed.
[[nodiscard]] bool same_worker_part(const AppSpec& now, const AppSpec& fresh);

}  // namespace rowhouse::supervisor
