"""A Rowhouse of a test's own for attacks: uids that no other run on this machine uses, a bystander, nothing left."""
import contextlib
import os
import pathlib
import shutil
import socket
import tempfile

import processes
from rowhouse_host import BUILD, Host

HOSTS = pathlib.Path("/srv")  # a sandbox has a /tmp and a /var/tmp of its own, so homes lie elsewhere
FIRST_UID, BLOCKS, UIDS_EACH = 62000, 140, 20
BYSTANDER = "bystander"


@contextlib.contextmanager
def reserved_uids():
    """The first uid of a block that is ours until the end; the reservation ends with this process at the latest."""
    for block in range(BLOCKS):
        with socket.socket(socket.AF_UNIX) as reservation:
            try:
                reservation.bind(f"\0rowhouse-attack-uids-{block}")
            except OSError:
                continue
            yield FIRST_UID + block * UIDS_EACH
            return
    raise AssertionError(f"all {BLOCKS} blocks of uids are in use by other runs on this machine")


class AttackHost(Host):
    """A Host with one tenant that nobody attacks and that must not notice."""

    def add_bystander(self):
        return self.add_probe(BYSTANDER)

    @property
    def bystander(self):
        return self.tenants.get(BYSTANDER)


@contextlib.contextmanager
def attack_host():
    """An AttackHost that is not started yet.  Afterwards it must have ended well and left nothing."""
    if not (BUILD / "rowhoused").exists():
        raise AssertionError(f"there is no rowhoused in {BUILD}: build first, or set ROWHOUSE_BUILD")
    with reserved_uids() as first_uid:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="rowhouse-attack-", dir=HOSTS))
        children = {p.pid for p in processes.children(os.getpid())}
        host = AttackHost(directory, first_uid)
        problems = ["the test did not come to its end"]
        try:
            yield host
        finally:
            problems = host.finish()
            problems += [f"orphan or zombie: {p}" for p in processes.children(os.getpid()) if p.pid not in children]
            if problems:
                print(f"--- rowhoused ---\n{host.log[-20000:]}")
            shutil.rmtree(directory, ignore_errors=not problems)
        assert not problems, "\n".join(problems)
