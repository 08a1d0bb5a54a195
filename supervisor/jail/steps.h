// The sandbox, step by step: the page an auditor reads.  Each step is one function in the file named beside
// it; build_sandbox at the end is their order.  A step that fails ends the jail: none warns and goes on.
//
// Start: pid 1 of new pid, mount, IPC, UTS and cgroup namespaces (and network, where asked for), root, inside
// its cgroups.  Descriptors: 0 /dev/null, 1 and 2 the log pipe, 3 the control socket.  Empty environment.
//
// End: an unprivileged process of the tenant behind all walls, which then serves as the steward (steward.h).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/jail_messages.h"
#include "supervisor/jail/request.h"

namespace rowhouse::jail {

// session.cc: refuse to run outside a pid namespace of our own, lead a session, default signals, umask 022;
// close every descriptor beyond the control socket.  Both come before the first message is read.
Status start_session();
Status close_other_descriptors();

// root.cc: stop propagation, mount an empty tmpfs over "/" that only the returned descriptor sees, /usr
// read-only, the host's links into it; then the worker program and the Python prefixes at their places,
// read-only.
Result<UniqueFd> create_root();
Status bind_usr(int root);
Status place_received(int root, const std::vector<ReceivedMount>& mounts);
// etc.cc: an /etc that knows this tenant only.
Status build_etc(int root, const proto::JailSetup& setup);
// temporary.cc: /tmp, /var/tmp, /dev/shm, bounded in bytes and files.
Status mount_temporary(int root, const proto::JailSetup& setup);
// home.cc: the home, opened with the tenant's rights, at its own path.
Status bind_home(int root, const proto::JailSetup& setup);
// devices.cc: null zero full random urandom, and the links into /proc/self/fd.
Status bind_devices(int root);
// proc.cc: /proc of the new pid namespace, its dangerous parts masked or read-only.
Status mount_proc(int root);
// pivot.cc: the new root becomes "/", the old one goes, "/" becomes read-only, no descriptor of before
// survives.
Status pivot_into(UniqueFd root);
// network.cc: the host name; in a private network namespace the loopback interface.
Status set_names(const proto::JailSetup& setup);
// limits.cc: resource limits, hard and soft, and the preference of the kernel's OOM killer.
Status set_resource_limits(const proto::JailSetup& setup);
// capabilities.cc: securebits locked, bounding set empty; after the change of identity every set empty.
Status close_capability_sources();
Status clear_capabilities();
// identity.cc: groups, gid, uid of the tenant.
Status become_tenant(const proto::JailSetup& setup);
// proof.cc: nothing of root is left, and no way leads back.
Status prove_identity(const proto::JailSetup& setup);
// no_new_privileges.cc: no_new_privs for ever; not dumpable, so that no process of the tenant's may trace
// this one.
Status forbid_new_privileges();
// landlock.cc: a second set of file rules in the kernel, scopes, and the TCP ports that may be connected to.
// Returns the walls that this kernel lacks.
Result<std::uint32_t> apply_landlock(const SandboxRequest& request);
// seccomp.cc: the system call filters, on all threads.
Status install_filters();

// Builds everything; `step` always names the step under way.  Returns the set of missing walls.
inline Result<std::uint32_t> build_sandbox(const SandboxRequest& request, proto::JailStep& step) {
  using enum proto::JailStep;
  const proto::JailSetup& setup = request.setup;
  step = kRoot;
  RH_ASSIGN(UniqueFd root, create_root());
  RH_TRY(bind_usr(root.get()));
  RH_TRY(build_etc(root.get(), setup));
  step = kTemporary;  // before the prefixes and the home, which may lie below /tmp
  RH_TRY(mount_temporary(root.get(), setup));
  step = kRoot;
  RH_TRY(place_received(root.get(), request.mounts));
  step = kHome;
  RH_TRY(bind_home(root.get(), setup));
  step = kDevices;
  RH_TRY(bind_devices(root.get()));
  step = kProc;
  RH_TRY(mount_proc(root.get()));
  step = kPivot;
  RH_TRY(pivot_into(std::move(root)));
  step = kNetwork;
  RH_TRY(set_names(setup));
  step = kResourceLimits;
  RH_TRY(set_resource_limits(setup));
  step = kCapabilities;
  RH_TRY(close_capability_sources());
  step = kIdentity;
  RH_TRY(become_tenant(setup));
  RH_TRY(clear_capabilities());
  step = kProof;
  RH_TRY(prove_identity(setup));
  step = kNoNewPrivileges;
  RH_TRY(forbid_new_privileges());
  step = kLandlock;
  RH_ASSIGN(const std::uint32_t missing_walls, apply_landlock(request));
  step = kSeccomp;
  RH_TRY(install_filters());
  return missing_walls;
}

}  // namespace rowhouse::jail
