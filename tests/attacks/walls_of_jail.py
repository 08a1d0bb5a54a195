"""The walls that rowhouse-jail builds, and how each is taken out."""
from mutation import START_REFUSED, Mutation

JAIL = "supervisor/jail/"
POLICY_IDS = {  # the clauses that the default answers of the number filter hold
    f"T-KERN-{number:02}" for number in (4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, 24, 25, 26, 27)}
TRAPPED_IDS = {f"T-KERN-{number}" for number in range(30, 41)}
UNAVAILABLE_IDS = {f"T-KERN-{number:02}" for number in (3, 11, 12, 22, 23, 28)}
REFUSED = {START_REFUSED}


def cut(name, file, old, new="", red=(), **options):
    return Mutation(name, ((JAIL + file, old, new),), frozenset(red), **options)


def unit(name):
    """A case of the jail's own tests, for walls that only a start can meet."""
    return {f"unit: {name}"}


def step(name, statement, red=(), **options):
    """Leaves out one line of build_sandbox."""
    return cut(f"step.{name}", "steps.h", f"  RH_TRY({statement});\n", red=red, **options)


def flag(name, constant, value, without, red, **options):
    """Takes one mount flag away."""
    return cut(f"mount.{name}", "tree.h", f"{constant} = {value};", f"{constant} = {without};", red=red, **options)


def limit(name, text, red, **options):
    """Limits the time of the processor to infinity instead, which is nothing."""
    return cut(f"limit.{name}", "limits.cc", text, "Limit{RLIMIT_CPU, RLIM_INFINITY}", red=red, **options)


STEPS = (
    step("temporary", "mount_temporary(root.get(), setup)", {"T-PROC-08"}),
    step("devices", "bind_devices(root.get())", REFUSED),
    step("proc", "mount_proc(root.get())", REFUSED),
    step("pivot", "pivot_into(std::move(root))", REFUSED),
    step("names", "set_names(setup)", {"T-PROC-11", "T-NET-01"}),
    step("limits", "set_resource_limits(setup)", {"T-CRED-10", "T-CRED-17", "T-CRED-23"}),
    step("capability-sources", "close_capability_sources()", REFUSED),
    step("identity", "become_tenant(setup)", REFUSED),
    step("clear-capabilities", "clear_capabilities()", REFUSED),
    step("proof", "prove_identity(setup)", {"T-CRED-01"}, together=("home.groups", "identity.groups"),
         covered="it looks at what the steps before it did; without them it is the one that refuses the start"),
    step("no-new-privileges", "forbid_new_privileges()", REFUSED),
    step("seccomp", "install_filters()", POLICY_IDS | TRAPPED_IDS | UNAVAILABLE_IDS | {"T-CRED-04"}),
    cut("step.landlock", "landlock.cc", "  RH_TRY(rules.enforce());\n", red={"T-FILE-24", "T-FILE-25"}),
)

SESSION = (
    cut("session.leader", "session.cc",
        '  if (::setsid() < 0 && ::getsid(0) != ::getpid()) return system_error("setsid");\n', red={"T-CRED-25"},
        together=("worker.leader",), covered="each worker leads a session of its own"),
    cut("worker.leader", "worker_start.cc", " || ::setsid() < 0", red={"T-CRED-25"}),
    cut("session.signals", "session.cc", "number < NSIG", "number < 1", red={"T-CRED-26"}),
    cut("session.umask", "session.cc", "  ::umask(022);\n", red={"T-CRED-26"}, together=("started-with.umask",),
        covered="rowhoused sets the same umask for itself before it starts a jail"),
    cut("session.descriptors", "session.cc",
        '  if (::close_range(proto::kControlFd + 1, ~0U, 0) != 0) return system_error("close_range");\n',
        red={"T-FILE-17"}, together=("started-with.descriptors", "pivot.descriptors", "worker.descriptors"),
        covered="every descriptor of rowhoused is close-on-exec from birth, and the pivot closes all again"),
    cut("pivot.descriptors", "pivot.cc",
        '  if (::close_range(proto::kControlFd + 1, ~0U, 0) != 0) return system_error("close_range");\n',
        red={"T-FILE-17"}, together=("started-with.descriptors", "session.descriptors", "worker.descriptors"),
        covered="every descriptor of the jail's is close-on-exec, and a worker closes all before its exec"),
    cut("worker.descriptors", "worker_start.cc",
        "return ::close_range(proto::kWorkerPartFd + 1, ~0U, 0) == 0 ? 0 : errno;", "return 0;",
        red=unit("a worker that waits for GO holds nothing of the steward's")),
    cut("session.pid-1", "session.cc",
        '  if (::getpid() != 1) return make_error(ErrorCode::kInvalid, "not pid 1 of a pid namespace");\n',
        red=unit("outside a pid namespace the jail refuses to start")),
    cut("home.owner", "home.cc",
        '  if (status.st_uid != setup.uid) return Error{ErrorCode::kInvalid, "home of another owner", EPERM};\n',
        red=unit("a home of another owner is refused")),
    cut("home.symlinks", "home.cc", "  how.resolve = RESOLVE_NO_SYMLINKS;\n",
        red=unit("a home behind a symbolic link is refused, also when it leads to the own home")),
    cut("home.rights", "home.cc", "  RH_TRY(rights.enter(setup.uid, setup.gid));\n",
        "  static_cast<void>(rights);\n",
        red=unit("a home that the tenant itself cannot reach is refused, although root could")),
    cut("network.new", "network.cc", "if ((request.ifr_flags & IFF_UP) != 0)", "if (false)",
        red=unit("a private network that is the host's is refused")),
    cut("etc.only-what-is-listed", "etc.cc", '"os-release",   "timezone"};', '"os-release", "timezone", "shadow"};',
        red={"T-FILE-06"}),
    cut("steward.own-children", "steward.cc",
        "  if (!ours) workers_.start_error(*row).store(errno, std::memory_order_relaxed);\n"
        "  *row = {ours ? WorkerState::kLiving : WorkerState::kEnded, reap.worker",
        "  static_cast<void>(ours);\n  *row = {WorkerState::kLiving, reap.worker",
        {"W31/has_no_worker[once]", "W31/has_no_worker[hidden]"}),
    cut("steward.reaps", "steward.cc", "  if (waiting[0].revents != 0) on_children();\n", red={"S16"}),
    cut("dumpable", "no_new_privileges.cc",
        '  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("prctl PR_SET_DUMPABLE");\n',
        red={"T-FILE-19", "S25/before_its_exec"}, needs="suid-dumpable"),
)

MOUNTS = (
    flag("system.read-only", "kReadOnlyTree", "MS_RDONLY | MS_NOSUID | MS_NODEV", "MS_NOSUID | MS_NODEV",
         {"T-FILE-03", "T-FILE-28"}),
    flag("system.nosuid", "kReadOnlyTree", "MS_RDONLY | MS_NOSUID | MS_NODEV", "MS_RDONLY | MS_NODEV", {"T-FILE-14"}),
    flag("system.nodev", "kReadOnlyTree", "MS_RDONLY | MS_NOSUID | MS_NODEV", "MS_RDONLY | MS_NOSUID", {"T-FILE-15"}),
    cut("mount.home.nosuid", "tree.h", "=\n    MS_NOSUID | MS_NODEV;", "= MS_NODEV;", red={"T-FILE-13"}),
    cut("mount.home.nodev", "tree.h", "=\n    MS_NOSUID | MS_NODEV;", "= MS_NOSUID;", red={"T-FILE-13"}),
    flag("devices.read-only", "kDeviceNode", "MS_RDONLY | MS_NOSUID | MS_NOEXEC", "MS_NOSUID | MS_NOEXEC",
         {"T-FILE-28"}),
    flag("devices.nosuid", "kDeviceNode", "MS_RDONLY | MS_NOSUID | MS_NOEXEC", "MS_RDONLY | MS_NOEXEC", {"T-FILE-14"}),
    flag("devices.noexec", "kDeviceNode", "MS_RDONLY | MS_NOSUID | MS_NOEXEC", "MS_RDONLY | MS_NOSUID", {"T-FILE-16"}),
    flag("sealed.read-only", "kSealedTree", "MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC",
         "MS_NOSUID | MS_NODEV | MS_NOEXEC", {"T-FILE-04", "T-FILE-08"}),
    flag("sealed.nosuid", "kSealedTree", "MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC",
         "MS_RDONLY | MS_NODEV | MS_NOEXEC", {"T-FILE-14"}),
    flag("sealed.nodev", "kSealedTree", "MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC",
         "MS_RDONLY | MS_NOSUID | MS_NOEXEC", {"T-FILE-15"}),
    flag("sealed.noexec", "kSealedTree", "MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC",
         "MS_RDONLY | MS_NOSUID | MS_NODEV", {"T-FILE-16"}),
    cut("mount.root.flags", "root.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC", "0",
        red={"T-FILE-15"}, together=("mount.root.read-only",),
        covered="pivot_into sets them again when it makes the root read-only"),
    cut("mount.root.read-only", "pivot.cc",
        '  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | kSealedTree, nullptr) != 0)\n'
        '    return system_error("mount ro /");\n', red={"T-FILE-04"}),
    cut("mount.root.size", "root.cc", '{{"size", "4m"}, {"nr_inodes", "512"}, {"mode", "0755"}}',
        '{{"mode", "0755"}}', covered="the root is read-only and root's before any code of the tenant's runs"),
    cut("mount.old-root", "pivot.cc", '  if (::umount2(".", MNT_DETACH) != 0) return system_error("umount2");\n',
        red={"T-FILE-27"}),
    cut("mount.propagation", "tree.cc",
        '  if (::mount(nullptr, mounted.data(), nullptr, MS_PRIVATE, nullptr) != 0)\n'
        '    return system_error("mount private");\n',
        red=unit("what the host mounts later below a prefix does not travel into a sandbox that stands")),
    cut("temporary.size", "temporary.cc", '{"size", size.c_str()}, ', red={"T-PROC-08"}),
    cut("temporary.files", "temporary.cc", '{"nr_inodes", inodes.c_str()}, ', red={"T-PROC-09", "T-PROC-10", "X13"}),
    cut("temporary.nosuid", "temporary.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV", "MOUNT_ATTR_NODEV",
        red={"T-FILE-13"}),
    cut("temporary.nodev", "temporary.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOSUID",
        red={"T-FILE-13"}),
    cut("proc.nosuid", "proc.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC",
        "MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC", red={"T-FILE-13"}),
    cut("proc.nodev", "proc.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC",
        "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC", red={"T-FILE-13"}),
    cut("proc.noexec", "proc.cc", "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC",
        "MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV", red={"T-FILE-16"}),
    cut("proc.masked", "proc.cc", '    RH_TRY(cover(root, "dev/null", file, kDeviceNode));\n',
        "    static_cast<void>(file);\n", red={"T-FILE-09"}),
    cut("proc.empty", "proc.cc", 'RH_TRY(cover(root, "run", directory, kSealedTree));', "static_cast<void>(directory);",
        red={"T-FILE-10"}),
    cut("proc.sealed", "proc.cc", "    RH_TRY(cover(root, nullptr, name, kSealedTree));\n",
        "    static_cast<void>(name);\n", red={"T-FILE-08"}),
)

LIMITS = (
    limit("core", "Limit{RLIMIT_CORE, 0}", {"T-CRED-10", "X19"}),
    limit("open-files", "Limit{RLIMIT_NOFILE, setup.open_files}", {"T-CRED-11"}),
    limit("locked-memory", "Limit{RLIMIT_MEMLOCK, 64 * 1024}", {"T-CRED-12"}),
    limit("message-queues", "Limit{RLIMIT_MSGQUEUE, 0}", {"T-CRED-13"}),
    limit("real-time", "Limit{RLIMIT_RTPRIO, 0}", {"T-CRED-14"}, needs="hard-limits"),
    limit("nice", "Limit{RLIMIT_NICE, 0}", {"T-CRED-15"}, needs="hard-limits"),
    limit("pending-signals", "Limit{RLIMIT_SIGPENDING, 4096}", {"T-CRED-16"}),
    limit("stack", "Limit{RLIMIT_STACK, 8 * 1024 * 1024}", {"T-CRED-17"}),
    cut("limit.oom-preference", "limits.cc",
        'return write_kernel_file(AT_FDCWD, "/proc/self/oom_score_adj", "500");', "return {};", red={"T-CRED-23", "S27"}),
)

IDENTITY = (
    cut("capabilities.securebits", "capabilities.cc",
        "if (::prctl(PR_SET_SECUREBITS, kSecureBits, 0, 0, 0) != 0)", "if (kSecureBits == 0)", red={"T-CRED-22"}),
    cut("capabilities.bounding-set", "capabilities.cc",
        'if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return system_error("prctl PR_CAPBSET_DROP");', "",
        red={"T-CRED-02"}, together=("step.proof",), covered="the proof refuses the start"),
    cut("capabilities.sets", "capabilities.cc",
        '  if (::syscall(SYS_capset, &header, none.data()) != 0) return system_error("capset");\n',
        '  static_cast<void>(header);\n  static_cast<void>(none);\n', red={"T-CRED-02"}, together=("step.proof",),
        covered="the proof refuses the start"),
    cut("identity.groups", "identity.cc",
        '  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return system_error("setgroups");\n',
        red={"T-CRED-01"}, together=("home.groups", "step.proof"), covered="opening the home drops the groups too"),
    cut("home.groups", "home.cc", '    if (::setgroups(0, nullptr) != 0) return system_error("setgroups");\n',
        red={"T-CRED-01"}, together=("identity.groups", "step.proof"),
        covered="the change of identity drops the groups again; without either the proof refuses the start"),
    cut("identity.gid", "identity.cc", "if (::syscall(SYS_setresgid, setup.gid, setup.gid, setup.gid) != 0)",
        "if (false)", red={"T-CRED-01"}, together=("step.proof",), covered="the proof refuses the start"),
    cut("identity.uid", "identity.cc", "if (::syscall(SYS_setresuid, setup.uid, setup.uid, setup.uid) != 0)",
        "if (false)", red=REFUSED),
    cut("landlock.abstract-sockets", "landlock.cc", "kScopeAbstractSockets | kScopeSignals", "kScopeSignals",
        red={"T-PROC-06", "X04/of_a_neighbour", "S26"}, needs="landlock-scopes"),
    cut("landlock.ports", "landlock.cc", "limits_ports ? kConnectTcp : 0", "0", red={"T-NET-11"}, needs="landlock-ports"),
    cut("landlock.signals", "landlock.cc", "kScopeAbstractSockets | kScopeSignals", "kScopeAbstractSockets",
        red={"T-PROC-02", "X06"}, together=("namespace.pid", "session.pid-1"), needs="landlock-scopes",
        covered="in a pid namespace of its own nothing outside can be named"),
)

SECCOMP = (
    cut("seccomp.arguments", "seccomp.cc", "  RH_TRY(install(kArgumentFilter));\n",
        "  static_cast<void>(kArgumentFilter);\n",
        red={"T-KERN-01", "T-KERN-02", "T-KERN-42", "T-KERN-43", "T-KERN-50", "T-CRED-08"}),
    cut("seccomp.numbers", "seccomp.cc", "  return install(kNumberFilter);",
        "  static_cast<void>(kNumberFilter);\n  return {};", red=POLICY_IDS | TRAPPED_IDS | UNAVAILABLE_IDS),
    cut("seccomp.architecture", "seccomp_generator.cc", "SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS",
        "SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW", red={"T-KERN-45"}),
    cut("seccomp.future", "seccomp_generator.cc", "numbers(SCMP_ACT_ERRNO(ENOSYS))", "numbers(SCMP_ACT_ERRNO(EIO))",
        red={"T-KERN-46"}),
    cut("seccomp.refused", "seccomp_generator.cc", "== 0) decide(kRefused, number);",
        "== 0) decide(SCMP_ACT_ALLOW, number);", red=POLICY_IDS - {"T-KERN-06"}),
    cut("seccomp.refused-numbers", "seccomp_generator.cc",
        "kRefusedNumbers) decide(kRefused, number);", "kRefusedNumbers) decide(SCMP_ACT_ALLOW, number);",
        red={"T-KERN-06"}),
    cut("seccomp.trapped", "seccomp_generator.cc", "decide(SCMP_ACT_TRAP, number_of(name))",
        "decide(SCMP_ACT_ALLOW, number_of(name))", red=TRAPPED_IDS),
    cut("seccomp.trap-is-death", "seccomp_generator.cc", "decide(SCMP_ACT_TRAP, number_of(name))",
        "decide(kRefused, number_of(name))", red=TRAPPED_IDS),
    cut("seccomp.unavailable", "seccomp_generator.cc",
        "kUnavailable) decided.push_back(number_of(name));",
        "kUnavailable) {\n    filter.add(SCMP_ACT_ALLOW, name);\n    decided.push_back(number_of(name));\n  }",
        red=UNAVAILABLE_IDS),
    cut("seccomp.splice", "seccomp_generator.cc", "decide(SCMP_ACT_ERRNO(EINVAL), number_of(name))",
        "decide(SCMP_ACT_ALLOW, number_of(name))", red={"T-KERN-41"}),
    cut("seccomp.low-halves", "seccomp_generator.cc", "SCMP_CMP_MASKED_EQ, masked.mask, masked.value",
        "SCMP_CMP_MASKED_EQ, masked.mask | 0xffffffff00000000ull, masked.value",
        red={"T-KERN-01", "T-KERN-02", "T-KERN-42", "T-KERN-50", "T-KERN-55"}),
    cut("seccomp.clone", "seccomp_generator.cc", '  refuse_any_bit(filter, "clone", kNew);\n', red={"T-KERN-02"}),
    cut("seccomp.unshare", "seccomp_generator.cc", '  refuse_any_bit(filter, "unshare", kNew | CLONE_NEWTIME);\n',
        red={"T-KERN-01", "T-KERN-29"}),
    cut("seccomp.time-namespace", "seccomp_generator.cc", "kNew | CLONE_NEWTIME", "kNew", red={"T-KERN-01"}),
    cut("seccomp.personality", "seccomp_generator.cc", "  add_personality(filter);\n",
        "  static_cast<void>(add_personality);\n", red={"T-CRED-08"}),
    cut("seccomp.devices", "seccomp_generator.cc", "{S_IFBLK, S_IFCHR}", "std::initializer_list<std::uint32_t>{}",
        red={"T-KERN-43"}),
    cut("seccomp.terminals", "seccomp_generator.cc", "{std::uint32_t{TIOCSTI}, kTiocLinux}", "{0xffffffffu}",
        red={"T-KERN-42"}),
    cut("seccomp.families", "seccomp_generator.cc", 'filter.add(no_family, "socket", {equals(0, family)});',
        "static_cast<void>(family);", red={"T-KERN-50", "T-KERN-51"}),
    cut("seccomp.socket-pairs", "seccomp_generator.cc", 'filter.add(no_family, "socketpair", {equals(0, family)});',
        "static_cast<void>(family);", red={"T-KERN-56"}),
    cut("seccomp.socket-types", "seccomp_generator.cc",
        'filter.add(no_protocol, "socket", {equals(0, family), equals(1, type)});', "static_cast<void>(type);",
        red={"T-KERN-53"}),
    cut("seccomp.socket-protocols", "seccomp_generator.cc",
        'filter.add(no_protocol, "socket", {equals(0, family), equals(2, protocol)});',
        "static_cast<void>(protocol);", red={"T-KERN-54"}),
    cut("seccomp.netlink", "seccomp_generator.cc",
        'filter.add(no_protocol, "socket", {equals(0, AF_NETLINK), equals(2, protocol)});',
        "static_cast<void>(protocol);", red={"T-KERN-52"}),
    cut("seccomp.tcp-ulp", "seccomp_generator.cc",
        '  filter.add(no_option, "setsockopt", {equals(1, IPPROTO_TCP), equals(2, kTcpUlp)});\n',
        "  static_cast<void>(kTcpUlp);\n", red={"T-KERN-55"}),
    cut("seccomp.udp-encapsulation", "seccomp_generator.cc",
        '  filter.add(no_option, "setsockopt", {equals(1, IPPROTO_UDP), equals(2, kUdpEncap)});\n',
        "  static_cast<void>(kUdpEncap);\n", red={"T-KERN-55"}),
)

WALLS = (*STEPS, *SESSION, *MOUNTS, *LIMITS, *IDENTITY, *SECCOMP)
