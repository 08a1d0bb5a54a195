"""T-FILE: what of the host's files tenant code finds."""
import os
import socket
import stat

from registry import Outcome, all_held, attempt, name_of, probe

MASKED = ("kcore", "keys", "key-users", "timer_list", "kallsyms", "kmsg", "sched_debug", "latency_stats")
EMPTY_DIRECTORIES = ("acpi", "asound", "scsi")
SEALED = ("sys", "sysrq-trigger", "irq", "bus", "fs")
DEVICES = {"null", "zero", "full", "random", "urandom"}
DEV_ENTRIES = DEVICES | {"fd", "stdin", "stdout", "stderr", "shm"}
ETC_SECRETS = ("shadow", "gshadow", "sudoers", "ssh", "machine-id", "crontab", "rowhouse", "systemd", "apt")


def read_some(path):
    """The first bytes, or the name of the error."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 64)
        finally:
            os.close(descriptor)
    except OSError as error:
        return name_of(error.errno)


def mounts():
    """(place, set of mount options, type) of everything mounted here."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [(words[4], set(words[5].split(",")), words[words.index("-") + 1]) for words in lines]


def is_read_only(path):
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


@probe("T-FILE-01")
def a_neighbours_home_does_not_exist(context):
    secret = context["neighbour_secret"]
    outcomes = {"read": read_some(secret), "list": attempt(lambda: os.listdir(os.path.dirname(secret))),
                "stat": attempt(lambda: os.stat(os.path.dirname(secret)))}
    return all_held(outcomes, {"ENOENT"})


@probe("T-FILE-02")
def no_other_home_is_in_the_directory_of_homes(context):
    listed = os.listdir(os.path.dirname(context["home"]))
    return Outcome(listed == [os.path.basename(context["home"])], f"sees {len(listed)} homes")


@probe("T-FILE-03")
def the_system_is_read_only(_context):
    places = [place for place, _, _ in mounts() if place.split("/")[1] in ("usr", "bin", "sbin", "lib", "lib64")]
    writable = [path for path in {*places, "/usr", "/bin", "/lib"} if not is_read_only(path)]
    wrote = attempt(lambda: os.close(os.open("/usr/lib/rowhouse-attack", os.O_CREAT | os.O_WRONLY)))
    return Outcome(not writable and wrote != "ok", f"{'read-only' if not writable else 'writable'}, create: {wrote}")


@probe("T-FILE-04")
def the_root_directory_and_etc_are_read_only(_context):
    writable = [path for path in ("/", "/etc", "/dev", "/run", "/sys") if not is_read_only(path)]
    return Outcome(not writable, "read-only" if not writable else f"writable: {' '.join(writable)}")


@probe("T-FILE-05")
def the_running_program_cannot_be_rewritten(_context):
    place = os.open("/proc/self/exe", os.O_RDONLY)
    sealed = bool(os.fstatvfs(place).f_flag & os.ST_RDONLY)
    said = attempt(lambda: os.close(os.open("/proc/self/exe", os.O_WRONLY)))
    os.close(place)
    return Outcome(sealed and said != "ok", f"{'read-only' if sealed else 'writable'} mount, open: {said}")


@probe("T-FILE-06")
def the_hosts_secrets_in_etc_do_not_exist(_context):
    found = [name for name in ETC_SECRETS if os.path.lexists(f"/etc/{name}")]
    return Outcome(not found, "none" if not found else f"there: {' '.join(found)}")


@probe("T-FILE-07")
def passwd_and_group_name_this_tenant_only(context):
    with open("/etc/passwd", encoding="utf-8") as passwd, open("/etc/group", encoding="utf-8") as group:
        ids = [int(line.split(":")[2]) for file in (passwd, group) for line in file]
    return Outcome(ids == [context["uid"]] * 2, f"{len(ids)} entries")


@probe("T-FILE-08")
def kernel_parameters_are_read_only(_context):
    there = [name for name in SEALED if os.path.exists(f"/proc/{name}")]
    writable = [name for name in there if not is_read_only(f"/proc/{name}")]
    wrote = attempt(lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)))
    return Outcome(not writable and wrote != "ok",
                   f"{'read-only' if not writable else 'writable: ' + ' '.join(writable)}, open: {wrote}")


@probe("T-FILE-09")
def proc_tells_nothing_of_the_kernel(_context):
    telling = []
    for name in MASKED:
        path = f"/proc/{name}"
        if not os.path.exists(path):
            continue
        answer = read_some(path)
        is_null = stat.S_ISCHR(os.stat(path).st_mode) and os.stat(path).st_rdev == os.makedev(1, 3)
        if not is_null or answer != b"":
            telling.append(name)
    return Outcome(not telling, "nothing" if not telling else f"told by: {' '.join(telling)}")


@probe("T-FILE-10")
def directories_of_hardware_are_empty(_context):
    there = [name for name in EMPTY_DIRECTORIES if os.path.isdir(f"/proc/{name}")]
    open_ones = [name for name in there if not is_read_only(f"/proc/{name}") or os.listdir(f"/proc/{name}")]
    return Outcome(bool(there) and not open_ones, f"{len(there)} there, not sealed: {' '.join(open_ones) or 'none'}")


@probe("T-FILE-11")
def there_is_no_cgroup_file_system(_context):
    kinds = [kind for _, _, kind in mounts() if kind.startswith("cgroup")]
    listed = os.listdir("/sys")
    return Outcome(not kinds and not listed, f"{len(kinds)} cgroup mounts, {len(listed)} entries in /sys")


@probe("T-FILE-12")
def dev_is_minimal(_context):
    listed = set(os.listdir("/dev"))
    extra = listed - DEV_ENTRIES
    nodes = {name for name in listed if stat.S_ISCHR(os.lstat(f"/dev/{name}").st_mode)
             or stat.S_ISBLK(os.lstat(f"/dev/{name}").st_mode)}
    return Outcome(listed == DEV_ENTRIES and nodes == DEVICES,
                   f"{len(nodes)} devices, {len(extra)} entries too many")


@probe("T-FILE-13")
def every_writable_mount_is_nosuid_and_nodev(_context):
    bad = [place for place, options, _ in mounts() if "rw" in options and not {"nosuid", "nodev"} <= options]
    return Outcome(not bad, "all" if not bad else f"not: {' '.join(bad)}")


@probe("T-FILE-14")
def every_read_only_mount_is_nosuid(_context):
    bad = [place for place, options, _ in mounts() if "nosuid" not in options]
    return Outcome(not bad, "all" if not bad else f"{len(bad)} are not: {' '.join(bad)}")


@probe("T-FILE-15")
def nothing_but_five_devices_can_be_a_device(_context):
    allowed = {f"/dev/{name}" for name in DEVICES}
    allowed |= {f"/proc/{name}" for name in MASKED}  # /dev/null is mounted there
    bad = [place for place, options, _ in mounts() if "nodev" not in options and place not in allowed]
    return Outcome(not bad, "none" if not bad else f"{len(bad)} can: {' '.join(bad)}")


@probe("T-FILE-16")
def no_program_runs_from_where_none_belongs(_context):
    places = {"/", "/proc", *(f"/dev/{name}" for name in DEVICES)}
    bad = [place for place, options, _ in mounts() if place in places and "noexec" not in options]
    return Outcome(not bad, "noexec" if not bad else f"not noexec: {' '.join(bad)}")


@probe("T-FILE-17")
def no_descriptor_is_inherited(_context):
    """In the parent, which is the worker itself: the log, the lifeline, its part, and sockets and memory of its own;
    no directory, no file, no device but /dev/null."""
    foreign = []
    for name in os.listdir(f"/proc/{os.getppid()}/fd"):
        path = f"/proc/{os.getppid()}/fd/{name}"
        target = os.readlink(path)
        is_null = os.path.exists(path) and os.stat(path).st_rdev == os.makedev(1, 3)
        if not is_null and not target.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:")):
            foreign.append(target)
    return Outcome(not foreign, "none" if not foreign else " ".join(foreign))


@probe("T-FILE-18")
def the_root_of_pid_1_leads_nowhere(_context):
    outcomes = {"list": attempt(lambda: os.listdir("/proc/1/root")), "cwd": attempt(lambda: os.listdir("/proc/1/cwd")),
                "readlink": attempt(lambda: os.readlink("/proc/1/root"))}
    return all_held(outcomes, {"EACCES", "EPERM"})


@probe("T-FILE-19")
def pid_1_cannot_be_read(_context):
    outcomes = {name: attempt(lambda n=name: os.close(os.open(f"/proc/1/{n}", os.O_RDONLY)))
                for name in ("mem", "environ", "maps", "fd", "auxv")}
    return all_held(outcomes, {"EACCES", "EPERM"})


@probe("T-FILE-20")
def walking_up_stays_inside(context):
    marker = context["host_marker"].lstrip("/")
    up = "../" * 40
    os.chdir(context["home"])
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    above = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
    outcomes = {"from home": attempt(lambda: os.stat(up + marker)), "from /tmp": attempt(
        lambda: os.stat("/tmp/" + up + marker)), "from a descriptor": attempt(lambda: os.stat(marker, dir_fd=above)),
        "from cwd of self": attempt(lambda: os.stat("/proc/self/cwd/" + up + marker)),
        "from root of self": attempt(lambda: os.stat("/proc/self/root/" + marker))}
    return all_held(outcomes, {"ENOENT"})


@probe("T-FILE-21")
def a_foreign_file_cannot_be_linked(context):
    target = os.path.join(context["home"], f"link-{os.getpid()}")
    said = attempt(lambda: os.link(context["neighbour_shared"], target))
    if said == "ok":
        os.unlink(target)
    return Outcome(said in ("ENOENT", "EXDEV"), f"link: {said}")


@probe("T-FILE-22")
def the_environment_is_clean(context):
    wanted = {"HOME", "USER", "LOGNAME", "PATH", "LANG"}
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        names = {entry.split(b"=", 1)[0].decode() for entry in file.read().split(b"\0") if entry}
    leaked = context["leaked_variable"] in names | set(os.environ)
    extra = names - wanted
    return Outcome(not extra and not leaked, f"{len(extra)} variables too many{', the secret too' if leaked else ''}")


@probe("T-FILE-23")
def the_projects_own_files_do_not_exist(context):
    found = [path for path in context["host_files"] if os.path.lexists(path)]
    return Outcome(not found, "none" if not found else f"{len(found)} there")


@probe("T-FILE-24")
def landlock_holds_where_the_mounts_do_not(_context):
    """/proc is mounted writable; a process may write its own name there unless Landlock forbids it."""
    def write():
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write("renamed")
    return Outcome(attempt(write) == "EACCES", f"write /proc/self/comm: {attempt(write)}")


@probe("T-FILE-25")
def a_file_from_outside_is_behind_landlock_too(context):
    """A descriptor of the host's root directory, handed in by an accomplice of the same uid outside, opens nothing."""
    root = receive_descriptor(context["accomplice_socket"])
    outcomes = {name: attempt(lambda n=name: os.close(os.open(n, os.O_RDONLY, dir_fd=root)))
                for name in (".", "etc/hostname", "etc/passwd")}
    return all_held(outcomes, {"EACCES"})


def receive_descriptor(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    return descriptors[0]


@probe("T-FILE-26")
def no_mount_reaches_in_from_the_host(_context):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        shared = [line.split()[4] for line in file if "shared:" in line or "master:" in line]
    return Outcome(not shared, "all private" if not shared else f"shared: {' '.join(shared)}")


@probe("T-FILE-27")
def the_old_root_is_gone(_context):
    """Only the mounts of the sandbox are in the table."""
    kinds = {kind for _, _, kind in mounts()} & {"cgroup", "cgroup2", "sysfs", "devpts", "devtmpfs", "securityfs"}
    roots = [place for place, _, _ in mounts() if place == "/"]
    whole = [place for place in ("/root", "/home", "/boot", "/opt", "/mnt") if os.path.lexists(place)]
    return Outcome(len(roots) == 1 and not kinds - {"devtmpfs"} and not whole,
                   f"{len(mounts())} mounts, of the host: {' '.join(whole) or 'none'}")



@probe("T-FILE-28")
def only_what_belongs_to_the_tenant_can_be_written(context):
    wanted = {context["home"], "/tmp", "/var/tmp", "/dev/shm", "/proc"}
    extra = {place for place, options, _ in mounts() if "rw" in options} - wanted
    return Outcome(not extra, "home and temporary" if not extra else f"{len(extra)} more: {' '.join(sorted(extra))}")
