"""What the benchmarks share: a host of their own, and figures."""
import contextlib
import math
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))

from rowhouse_host import Host  # noqa: E402

FIRST_UID = 61700


@contextlib.contextmanager
def running_host(prepare, *apps):
    """A host on a free port of 127.0.0.1 to which `prepare` has added tenants, with `apps` running; nothing of it stays."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rowhouse-bench-", dir="/srv"))
    host = Host(directory, FIRST_UID)
    try:
        prepare(host)
        host.start(*apps)
        yield host
    finally:
        problems = host.finish()
        shutil.rmtree(directory, ignore_errors=True)
        if problems:
            print("left behind:", *problems, sep="\n  ", file=sys.stderr)


def percentile(values, part):
    return sorted(values)[max(0, min(len(values), math.ceil(part * len(values))) - 1)]


def pss_kib(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total
