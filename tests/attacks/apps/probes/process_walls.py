"""T-PROC: other processes, memory shared by name, and how much of either there may be."""
import errno
import os
import signal
import socket
import time

import raw
from registry import Outcome, all_held, attempt, probe

BOMB_CAP = 400  # a control run stops here
PAUSE_S = 8


@probe("T-PROC-01")
def only_own_processes_are_in_proc(context):
    foreign = []
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    for name in pids:
        try:
            if os.stat(f"/proc/{name}").st_uid not in (context["uid"], 0):
                foreign.append(name)
            with open(f"/proc/{name}/status", encoding="ascii") as file:
                uids = next(line for line in file if line.startswith("Uid:")).split()[1:]
            if set(uids) != {str(context["uid"])}:
                foreign.append(name)
        except OSError:
            pass
    return Outcome(not foreign, "own only" if not foreign else f"foreign: {len(set(foreign))} of {len(pids)}")


@probe("T-PROC-02")
def a_signal_reaches_nobody_outside(context):
    outcomes = {"accomplice": attempt(lambda: os.kill(context["accomplice_pid"], 0)),
                "its group": attempt(lambda: os.killpg(context["accomplice_pid"], 0)),
                "pidfd": attempt(lambda: os.close(os.pidfd_open(context["accomplice_pid"])))}
    return all_held(outcomes, {"ESRCH"})


@probe("T-PROC-03")
def a_pidfd_from_outside_reaches_nobody(context):
    """An accomplice of the same uid outside hands in a descriptor of itself."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(context["accomplice_pidfd_socket"])
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    said = attempt(lambda: signal.pidfd_send_signal(descriptors[0], 0))
    return Outcome(said in ("EINVAL", "EPERM"), f"pidfd_send_signal: {said}")


@probe("T-PROC-04")
def system_v_objects_are_the_sandboxes_own(context):
    calls = {"shm": raw.libc.shmget(context["ipc_key"], 0, 0), "sem": raw.libc.semget(context["ipc_key"], 0, 0),
             "msg": raw.libc.msgget(context["ipc_key"], 0)}
    found = [kind for kind, identifier in calls.items() if identifier >= 0]
    return Outcome(not found, "none found" if not found else f"found: {' '.join(found)}")


@probe("T-PROC-05")
def shared_places_are_the_sandboxes_own(context):
    found = [path for path in context["shared_files"] if os.path.exists(path)]
    return Outcome(not found, "none found" if not found else f"found: {' '.join(os.path.dirname(p) for p in found)}")


@probe("T-PROC-06", wall="landlock-scopes")
def the_hosts_abstract_sockets_are_unreachable(context):
    said = {}
    for name, kind in (("stream", socket.SOCK_STREAM), ("datagram", socket.SOCK_DGRAM)):
        with socket.socket(socket.AF_UNIX, kind) as connection:
            said[name] = attempt(lambda c=connection, n=name: c.connect(context[f"abstract_{n}"]))
    return all_held(said, {"EPERM", "ECONNREFUSED"})


@probe("T-PROC-07")
def a_fork_bomb_ends_at_the_plans_number_of_processes(context):
    pids, said = [], "no end"
    while len(pids) < BOMB_CAP:
        try:
            pid = os.fork()
        except OSError as error:
            said = errno.errorcode[error.errno]
            break
        if pid == 0:
            time.sleep(PAUSE_S)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)
    held = said == "EAGAIN" and len(pids) < context["plan_pids"]
    return Outcome(held, f"{said} under {context['plan_pids']} processes" if held else f"{len(pids)} forks: {said}")


@probe("T-PROC-08")
def temporary_directories_have_a_size_limit(context):
    said = {}
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        path = f"{place}/rowhouse-attack-{os.getpid()}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        try:
            said[place] = attempt(lambda d=descriptor: os.posix_fallocate(d, 0, context["tmp_bytes"] + 4096))
        finally:
            os.close(descriptor)
            os.unlink(path)
    return all_held(said, {"ENOSPC"})


@probe("T-PROC-09")
def temporary_directories_have_a_limit_of_files(context):
    inodes = {place: os.statvfs(place).f_files for place in ("/tmp", "/var/tmp", "/dev/shm")}
    bad = {place: count for place, count in inodes.items() if not 0 < count <= context["tmp_inodes"]}
    return Outcome(not bad, f"{max(inodes.values())} files" if not bad else "more than the cap: " + " ".join(bad))


@probe("T-PROC-10")
def the_file_after_the_last_is_refused(context):
    """Really makes them."""
    directory = f"/tmp/rowhouse-attack-{os.getpid()}"
    os.mkdir(directory)
    made, said = 0, "no end"
    try:
        while made <= context["tmp_inodes"]:
            try:
                os.close(os.open(f"{directory}/{made}", os.O_CREAT | os.O_EXCL))
            except OSError as error:
                said = errno.errorcode[error.errno]
                break
            made += 1
    finally:
        for number in range(made):
            os.unlink(f"{directory}/{number}")
        os.rmdir(directory)
    return Outcome(said == "ENOSPC", f"create: {said}")


@probe("T-PROC-11")
def the_host_name_is_the_tenants(context):
    name = os.uname().nodename
    return Outcome(name == context["tenant"], "the tenant's" if name == context["tenant"] else "the host's")


@probe("T-PROC-12")
def every_namespace_but_time_and_user_is_new(context):
    same = [kind for kind, host in context["namespaces"].items() if os.readlink(f"/proc/self/ns/{kind}") == host]
    return Outcome(not same, "all new" if not same else f"the host's: {' '.join(same)}")

