"""The walls that rowhoused builds (namespaces, cgroups, limits, kills, identities), and how each is taken out."""
from mutation import START_REFUSED, Mutation

SUPERVISOR = "supervisor/"
LEAVES = "tests/system/test_walls.py::test_the_steward_and_each_worker_are_in_a_leaf_of_their_own"
LEFTOVERS = "tests/system/test_tombstones.py::test_a_uid_is_given_on_only_when_nothing_of_its_former_tenant_is_left"
THROTTLED = "tests/system/test_limits.py::test_a_tenant_over_its_quota_is_throttled_and_that_is_counted"
PLACED = "tests/system/test_limits.py::test_the_plan_is_on_the_tenants_cgroup_and_the_manifest_on_the_apps_inside_it"
SWAP = "tests/system/test_limits.py::test_no_swap_is_given_and_a_host_that_cannot_count_it_is_named"
DAEMON = "tests/system/test_kill.py::test_a_daemon_does_not_outlive_the_worker_that_left_it_behind"
FROZEN = "tests/system/test_kill.py::test_a_frozen_cgroup_is_thawed_for_the_kill"
STRICT = "tests/system/test_strict.py::test_strict_refuses_the_app_and_names_the_missing_wall"
LEFT_OPEN = "tests/system/test_walls.py::test_a_descriptor_that_rowhoused_was_started_with_reaches_no_process"


def cut(name, file, old, new="", red=(), **options):
    return Mutation(name, ((SUPERVISOR + file, old, new),), frozenset(red), **options)


def namespace(name, flag, red, **options):
    flags = "CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;"
    return cut(f"namespace.{name}", "launcher.cc", flags, flags.replace(flag, "0"), red, **options)


def look(name, statement, **options):
    return cut(f"leftovers.{name}", "leftovers.cc", statement, red={LEFTOVERS}, **options)


NAMESPACES = (
    namespace("pid", "CLONE_NEWPID", {"T-PROC-01", "T-PROC-12", "X17"}, together=("session.pid-1",),
              covered="the jail refuses to start unless it is pid 1"),
    namespace("mount", "CLONE_NEWNS", (),
              covered="the first jail would take the machine's own root away: nothing runs any more, also no test"),
    namespace("ipc", "CLONE_NEWIPC", {"T-PROC-04", "T-PROC-12", "X03"}),
    namespace("uts", "CLONE_NEWUTS", {"T-PROC-12"}),
    namespace("cgroup", "CLONE_NEWCGROUP", {"T-PROC-12"}),
    cut("namespace.network", "launcher.cc",
        "  if (order.network == proto::NetworkMode::kPrivate) arguments.flags |= CLONE_NEWNET;\n", "",
        {"T-NET-01", "T-NET-02", "T-NET-03", "T-NET-06", "T-NET-07", "T-NET-08", "X05/private"}, together=("network.new",),
        covered="the jail refuses a private network that is the host's"),
)

CGROUPS = (
    cut("cgroup.join", "launcher.cc", "  join_cgroups(order);\n", "", {START_REFUSED}, needs="cgroup1"),
    cut("cgroup.into", "launcher.cc", "if (order.cgroup_v2 >= 0) {", "if (order.cgroup_v2 >= 1 << 30) {",
        {START_REFUSED}, needs="cgroup2"),
    cut("cgroup.born-inside", "sandbox_workers.cc", "return order_.steward.contains(pid);", "return true;", {LEAVES}, together=("cgroup.join", "cgroup.into"),
        covered="a sandbox that did not join its group does not start, and only the steward can have a worker born"),
    cut("cgroup.leaf", "worker.cc", "if (const Status moved = leaf_.attach(pid); !moved.ok()) {",
        "if (const Status moved; !moved.ok()) {", {LEAVES}),
    cut("cgroup.die-together", "sandbox_workers.cc", "  RH_TRY(worker.leaf.die_together());\n", "", {LEAVES}, needs="cgroup2"),
    cut("cgroup.memory", "cgroup_limits.cc",
        "      v2 ? write_memory_max(directory, limits.memory_bytes) : write_v1_memory(directory, limits.memory_bytes);\n",
        "      Status();\n", {PLACED, "X11", "X12/heap"}),
    cut("cgroup.swap-v2", "cgroup_limits.cc",
        'writer.write(ConfigKey::kSwap, "memory.swap.max", "0");', "{}", {SWAP}, needs="cgroup2"),
    cut("cgroup.swap-v1", "cgroup_limits.cc", '    writer.write(ConfigKey::kSwap, "memory.swappiness", "0");\n', "",
        {SWAP}, needs="cgroup1"),
    cut("cgroup.pids", "cgroup_limits.cc",
        'Writer(directory, outcome).write(ConfigKey::kPids, "pids.max", or_max(limits.pids));', "{}", {"T-PROC-07"}),
    cut("cgroup.cpu", "cgroup_limits.cc", "const std::uint64_t quota_us = limits.cpu_percent * kCpuPeriodUs / 100;",
        "const std::uint64_t quota_us = 0;", {PLACED, THROTTLED, "X10"}),
    cut("cgroup.cpu-weight-v2", "cgroup_limits.cc", "std::to_string(limits.cpu_weight));", '"100");', {PLACED}, needs="cgroup2"),
    cut("cgroup.cpu-weight-v1", "cgroup_limits.cc", "std::to_string(shares_of_weight(limits.cpu_weight)));", '"1024");',
        {PLACED}, needs="cgroup1"),
)

KILLS = (
    cut("kill.leaf", "worker.cc", "  kill_leaf();\n  on_event(WorkerEvent::kEnded);\n", "  on_event(WorkerEvent::kEnded);\n",
        {DAEMON}, together=("kill.old-leaf",), covered="a leaf that cannot be removed is killed again"),
    cut("kill.old-leaf", "sandbox.cc", "[[maybe_unused]] const Status killed = leaf.group.kill();", "", {DAEMON},
        together=("kill.leaf",), covered="the leaf of a worker that has ended is killed at once"),
    cut("kill.cgroup-kill", "cgroup_files.cc", 'return write_kernel_file(directory, "cgroup.kill", "1");',
        "return Status();", {DAEMON}),
    cut("kill.freezer", "cgroup_files.cc", "for (const pid_t pid : read_pids(directory)) ::kill(pid, SIGKILL);", "", {DAEMON},
        needs="cgroup1"),
    cut("kill.thaw", "cgroups.cc", "if (tree_ != nullptr) tree_->thaw_above(path_);", "", {FROZEN}, needs="cgroup1"),
    cut("kill.start-timeout", "worker.cc", "  lifeline_poll_->watch(UV_READABLE);\n  follow_deadline(clock_->now());\n",
        "  lifeline_poll_->watch(UV_READABLE);\n", {"S11"}),
    cut("backoff", "backoff.cc", "return delay * (75 + random % 51) / 100;", "return Duration::zero();",
        {"S12", "W30/less_and_less"}),
    cut("template.itself", "sandbox_workers.cc", "template_->pid() != pid && ", "", {"W31/has_no_worker[itself]"}),
    cut("template.once-born", "sandbox_workers.cc", " && template_->contains(pid);", ";", {"W31/is_not_two"}),
    cut("template.hangs", "sandbox_workers.cc",
        "if (never_born && forked && template_ != nullptr) template_->kill(Cause::kStartTimeout);", "",
        {"W31/does_not_fork"}),
    cut("lifeline.born-once", "worker.cc", "if (life_.state == WorkerState::kSpawning) on_born(message);", "on_born(message);",
        {"S10"}),
)

IDENTITY = (
    cut("identity.registry", "registry.cc",
        "  if (auto problem = check_identity(tenant.uid, tenant.gid, host)) return problem;\n", "",
        {"S22/also_when_the_loader"}),
    cut("identity.gate", "app.cc", "if (check_identity(tenant_.uid, tenant_.gid, *around_.host))", "if (false)",
        {"S22/also_when_the_loader"}, together=("identity.registry",),
        covered="the registry has refused such an identity before"),
    cut("identity.tombstones", "tombstones.cc", "  if (leftovers.empty()) return std::nullopt;\n",
        "  if (true) return std::nullopt;\n", {"X18", LEFTOVERS}),
    look("processes", "  look_at_processes();\n"),
    look("ipc", "  look_at_ipc();\n"),
    look("message-queues", "  look_at_message_queues();\n"),
    look("shared-directories", "  look_at_shared_directories();\n"),
    look("home", "if (std::string home = home_left(trace); !home.empty()) left.push_back(std::move(home));"),
    cut("strict", "app_events.cc", "if (!around_.host->host.strict || missing == 0) return top_up();", "return top_up();",
        {STRICT}),
    cut("started-with.descriptors", "main.cc", "::close_range(STDERR_FILENO + 1, ~0u, 0) != 0", "false", {LEFT_OPEN}),
    cut("started-with.umask", "main.cc", "  ::umask(022);\n", "", {"T-CRED-26"}, together=("session.umask",),
        covered="the jail sets its own"),
    cut("descriptors.refused", "app_reports.cc", "  if (status.ok()) refuse_descriptors(channel.value().ours.get());\n", "",
        {"W20/slow_to_close"}, together=("descriptors.closed-apart",), needs="passrights",
        covered="what arrives all the same is closed by a thread of its own"),
    cut("descriptors.refused-on-the-lifeline", "sandbox_workers.cc", "  refuse_descriptors(lifeline.ours.get());\n", "",
        {"W20/on_the_lifeline"}, together=("descriptors.closed-apart",), needs="passrights",
        covered="what arrives all the same is closed by a thread of its own"),
    Mutation("descriptors.closed-apart", (("base/foreign_files.cc",
                                           "closing_threads.fetch_add(1) < kMaxClosingThreads && start_thread(owned.get())",
                                           "closing_threads.fetch_add(1) < 0"),),
             frozenset({"W20/slow_to_close", "W20/on_the_lifeline"}), needs="no-passrights"),
)

WALLS = (*NAMESPACES, *CGROUPS, *KILLS, *IDENTITY)
