"""`isolation.strict`: an app that lacks a wall is not started, and the status says which.  The missing wall is real:
rowhoused runs under a filter that answers like a kernel without Landlock."""
import subprocess
import sys

import pytest
from processes import wait_until
from rowhouse_host import BUILD, PATIENCE_S

# landlock_create_ruleset is 444 on every architecture; 38 is ENOSYS.
WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
program = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7fff0000)))
buffer = ctypes.create_string_buffer(program)
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(22, 2, ctypes.byref(fprog), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"""


def start_without_landlock(host):
    host.write_config()
    with host.log_path.open("ab") as log:
        host.daemon = subprocess.Popen([sys.executable, "-c", WITHOUT_LANDLOCK, BUILD / "rowhoused", "--config",
                                        host.config_path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until(lambda: host.socket_path.exists() and host.cli("status", "--json").code == 0, PATIENCE_S, lambda: host.log)


def test_without_strict_a_missing_wall_is_in_the_status_and_the_app_runs(host):
    host.add_probe("acme")
    start_without_landlock(host)
    missing = host.wait_running("acme/site")["sandbox"]["missing"]
    assert {"landlock", "landlock-scopes"} <= set(missing), missing
    assert host.http("acme.test").status == 200
    host.note_processes()


def test_strict_refuses_the_app_and_names_the_missing_wall(host):
    import processes
    acme = host.add_probe("acme")
    host.extra_config = "isolation: { strict: true }\n"
    start_without_landlock(host)
    last = host.wait_status("acme/site", lambda s: s["last_exit"] is not None)["last_exit"]
    assert last["code"] == "RH-SPAWN" and "landlock" in last["detail"], last
    assert host.http("acme.test").status == 503
    # What is built is torn down again: no worker has run under the tenant's uid.
    assert not [p for p in processes.processes_of_uids([acme.uid]) if "worker" in p.name]
    assert host.status("acme/site")["state"] in ("backoff", "failed", "starting")


@pytest.mark.needs("landlock")
def test_strict_starts_the_app_where_all_walls_stand_and_a_shared_network_is_none(host):
    host.add_probe("acme")
    host.extra_config = "isolation: { strict: true }\n"
    host.start("acme/site")
    assert host.http("acme.test").status == 200
    assert set(host.status("acme/site")["sandbox"]["missing"]) <= {"private-network"}


def test_the_doctor_says_before_that_strict_will_refuse(host):
    host.extra_config = "isolation: { strict: true }\n"
    host.write_config()
    done = subprocess.run([sys.executable, "-c", WITHOUT_LANDLOCK, BUILD / "rowhouse", "doctor", "--config",
                           host.config_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert "failure  landlock" in done.stdout, done.stdout
