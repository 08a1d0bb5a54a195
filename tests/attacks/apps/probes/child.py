"""Runs a probe in a forked child with a time cap: what the child does to itself does not stay."""
import json
import os
import select
import signal
import time
import traceback

import registry

CAP_S = 10.0
MAX_ANSWER_BYTES = 64 * 1024


def prepare():
    """A child starts with the kernel's own answers to signals, in a session of its own."""
    for number in (signal.SIGSYS, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.setsid()


def answer_of(probe, context):
    try:
        return probe.function(context)
    except BaseException as error:  # whatever it is, it is the probe's answer
        place = traceback.extract_tb(error.__traceback__)[-1]
        return registry.Outcome(False, f"{type(error).__name__}: {error} ({place.name}:{place.lineno})")


def read_answer(pipe, deadline):
    """Everything until the end of file, or None when time is up."""
    data = b""
    while len(data) < MAX_ANSWER_BYTES:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(pipe, 65536)
        if not chunk:
            break
        data += chunk
    return data


def outcome_of(probe, data, status):
    if data is None:
        return registry.Outcome(False, f"not done after {CAP_S:.0f} s")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return registry.Outcome(number in (probe.held_by_signal, probe.absent_signal), f"killed: {signal.Signals(number).name}")
    if not data:
        return registry.Outcome(False, f"no answer, exit status {os.waitstatus_to_exitcode(status)}")
    return registry.Outcome(**json.loads(data))


def run(probe, context):
    """The outcome of `probe` in a child of this process."""
    pipe, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(pipe)
            prepare()
            os.write(writer, json.dumps(answer_of(probe, context).as_json()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    data = read_answer(pipe, time.monotonic() + CAP_S)
    os.close(pipe)
    try:
        os.killpg(pid, signal.SIGKILL)  # its helpers too; a zombie keeps the group's number
    except (ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    return outcome_of(probe, data, os.waitpid(pid, 0)[1])
