"""Fixtures of the system tests: real programs, as root, with real uids, on loopback."""
import itertools
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import processes  # noqa: E402
from kernel import landlock_abi  # noqa: E402
from rowhouse_host import BUILD, PYTHONS, Host  # noqa: E402

# Homes lie below it, and a sandbox has a /var/tmp and a /tmp of its own.
HOSTS = pathlib.Path("/srv")
UIDS_EACH = 20
UID_SPANS = 11
UID_POOL = (61100, 61980)  # the unit tests use those before it
FEATURES = {}


def has(feature):
    """Remembers and answers whether this machine has a feature that a test needs."""
    if feature not in FEATURES:
        FEATURES[feature] = FEATURE_PROBES[feature]()
    return FEATURES[feature]


FEATURE_PROBES = {
    "wrk": lambda: shutil.which("wrk") is not None,
    "cgroup1": lambda: any(" - cgroup " in line for line in open("/proc/self/mountinfo", encoding="utf-8")),
    "cgroup2": lambda: pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    and "memory" in pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text(),
    "landlock": lambda: landlock_abi() >= 1,
    "landlock-ports": lambda: landlock_abi() >= 4,
    "pythons": lambda: {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13"} <= {row.version for row in PYTHONS},
    "debug-python": lambda: (BUILD / f"rowhouse-worker-python{PYTHONS[0].version}d").exists(),
}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(feature, ...): skipped where the machine lacks a feature; "
                                       "ROWHOUSE_EXPECT=a,b makes that skip a failure")
    config.addinivalue_line("markers", "sanitized: also run with the sanitizer build, where only these are run")


def pytest_runtest_setup(item):
    expected = set(filter(None, os.environ.get("ROWHOUSE_EXPECT", "").split(",")))
    for mark in item.iter_markers("needs"):
        for feature in mark.args:
            if has(feature):
                continue
            if feature in expected:
                pytest.fail(f"this machine is expected to have {feature}, and does not")
            pytest.skip(f"needs {feature}")


@pytest.fixture(scope="session", autouse=True)
def preconditions():
    if os.geteuid() != 0:
        pytest.exit("the system tests start real tenants: run them as root", 2)
    processes.adopt_orphans()
    # Started in the background or by nohup, we would pass on ignored signals, which no program can undo for others.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def uid_blocks():
    """First uids of blocks that no other test on this machine uses at the same time: tests end by looking for
    processes of their uids.  A span of the pool is held by an abstract socket, which no crash leaves behind."""
    span = (UID_POOL[1] - UID_POOL[0]) // UID_SPANS
    with socket.socket(socket.AF_UNIX) as held:
        for first in range(UID_POOL[0], UID_POOL[0] + span * UID_SPANS, span):
            try:
                held.bind(f"\0rowhouse-system-tests-{first}")
            except OSError:
                continue
            yield itertools.cycle(range(first, first + span - UIDS_EACH + 1, UIDS_EACH))
            return
        pytest.exit(f"all {UID_SPANS} spans of test uids are taken: too many test runs at once", 2)


@pytest.fixture
def host(request, uid_blocks):
    """A Host; afterwards it must have ended well and left nothing."""
    yield from a_host(request, uid_blocks)


@pytest.fixture(scope="module")
def shared_host(request, uid_blocks):
    """The same, for all tests of a module: where each is one request, and its log need not be empty before."""
    yield from a_host(request, uid_blocks)


def a_host(request, uid_blocks):
    if not (BUILD / "rowhoused").exists():
        pytest.fail(f"there is no rowhoused in {BUILD}: build first, or set ROWHOUSE_BUILD")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rowhouse-test-", dir=HOSTS))
    children = {p.pid for p in processes.children(os.getpid())}
    made = Host(directory, next(uid_blocks))
    yield made
    problems = made.finish()
    orphans = [p for p in processes.children(os.getpid()) if p.pid not in children]
    problems += [f"orphan or zombie: {p}" for p in orphans]
    failed = getattr(request.node, "outcome_of_call", None)
    if problems or (failed and failed.failed):
        print(f"--- rowhoused of {request.node.name} ---\n{made.log[-20000:]}")
    if os.environ.get("ROWHOUSE_KEEP"):
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory)
    assert not problems, "\n".join(problems)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.outcome_of_call = outcome.get_result()
