"""Runs the cases that a mutation names, through programs with its wall taken out, and tells which are red."""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

from mutation import START_REFUSED

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from kernel import landlock_abi  # noqa: E402

RED = ("OPEN", "BROKEN")
DIRECTORIES = {"T": "tenant", "X": "neighbours", "S": "supervisor", "W": "hostile_worker"}
UNIT_TESTS = "tests/unit/jail/sandbox-jail"
TRIAL_S = 900 if os.environ.get("ROWHOUSE_SLOW") else 300
# What a probe says first when no sandbox stands: the start is refused, and every case is red.
FIRST_CASE = "T-CRED-01"
SO_PASSRIGHTS = 83


def world():
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
    return "cgroup2" if controllers.exists() and "memory" in controllers.read_text() else "cgroup1"


def refuses_descriptors():
    import socket
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            return asked.getsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS) >= 0
        except OSError:
            return False


FEATURES = {
    "cgroup1": lambda: world() == "cgroup1",
    "cgroup2": lambda: world() == "cgroup2",
    "landlock-ports": lambda: landlock_abi() >= 4,
    "landlock-scopes": lambda: landlock_abi() >= 6,
    "passrights": refuses_descriptors,
    "no-passrights": lambda: not refuses_descriptors(),
    "suid-dumpable": lambda: pathlib.Path("/proc/sys/fs/suid_dumpable").read_text().strip() == "1",
    "hard-limits": lambda: resource.getrlimit(resource.RLIMIT_RTPRIO)[1] > 0,
}


def lacks(mutation):
    """The feature that this machine lacks for a mutation, or "": `needs` names them with blanks between."""
    return next((name for name in mutation.needs.split() if not FEATURES[name]()), "")


def own_mounts():
    """A wall that is gone may be the one that keeps a jail's mounts and its host name from this machine."""
    return ["unshare", "--mount", "--uts", "--propagation", "private"]


class Trial:
    """The programs of a build, some of them mutated, in one directory."""

    def __init__(self, build, mutated):
        self.build = build
        self.programs = pathlib.Path(tempfile.mkdtemp(prefix="programs-", dir=mutated.parent))
        self.programs.chmod(0o755)
        (self.programs / "tests").symlink_to(build / "tests")
        for source in (build, mutated):
            for program in [*source.glob("rowhouse*"), *source.glob("pythons.table")]:
                if program.is_file():
                    (self.programs / program.name).unlink(missing_ok=True)
                    os.link(program, self.programs / program.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.programs)

    def run(self, names):
        """(those of `names` that are red, what was said)."""
        red, said = set(), ""
        cases = {name for name in names if re.match(r"[TXSW][-\d]", name)}
        tests = {name for name in names if name.startswith("tests/")}
        if START_REFUSED in names:
            found, said = self.run_cases({FIRST_CASE})
            red |= {START_REFUSED} if found and "does not start:" in said else set()
        for letter in sorted({name[0] for name in cases}):
            found, more = self.run_cases({name for name in cases if name[0] == letter})
            red, said = red | found, said + more
        if tests:
            found, more = self.run_system_tests(tests)
            red, said = red | found, said + more
        for name in names:
            if name.startswith("unit: "):
                failed, more = self.run_unit_test(name.removeprefix("unit: "))
                red, said = red | ({name} if failed else set()), said + more
        return red, said

    def run_cases(self, names):
        results = self.programs / "results.json"
        results.unlink(missing_ok=True)
        where = {DIRECTORIES[name[0]] for name in names}
        said = self.pytest(*(HERE / name for name in where), "-c", HERE / "pytest.ini", "--cases", ",".join(sorted(names)),
                           "--case-results", results)
        rows = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
        if not rows:
            raise SystemExit(f"mutate: the cases {names} did not run:\n{said[-6000:]}")
        red = {name for name in names for row in rows if row["verdict"] in RED
               and row["case"] == name.partition("/")[0] and name.partition("/")[2] in row["test"]}
        for name in names:
            if not any(row["case"] == name.partition("/")[0] for row in rows):
                raise SystemExit(f"mutate: there is no case {name}")
        return red, said

    def run_system_tests(self, names):
        results = self.programs / "results.xml"
        results.unlink(missing_ok=True)
        said = self.pytest(*(ROOT / name for name in names), "-c", ROOT / "tests" / "system" / "pytest.ini", "-p",
                           "no:cacheprovider", "--junitxml", results)
        if not results.exists():
            raise SystemExit(f"mutate: the tests {names} did not run:\n{said[-6000:]}")
        red, ran = set(), 0
        for test in ElementTree.parse(results).getroot().iter("testcase"):
            ran += 1
            if test.find("failure") is None and test.find("error") is None:
                continue
            red |= {name for name in names if test.get("name").partition("[")[0] == name.rpartition("::")[2].partition("[")[0]}
        if not ran:
            raise SystemExit(f"mutate: the tests {names} did not run:\n{said[-6000:]}")
        return red, said

    def pytest(self, *arguments):
        environment = {**os.environ, "ROWHOUSE_BUILD": str(self.programs), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("ROWHOUSE_EXPECT", None)
        return self.command([*own_mounts(), "/usr/bin/python3", "-m", "pytest", "-q", *map(str, arguments)], environment)

    def run_unit_test(self, name):
        environment = {**os.environ, "ROWHOUSE_JAIL": str(self.programs / "rowhouse-jail")}
        said = self.command([self.build / UNIT_TESTS, "--no-colors", "--test-case=" + name.replace(",", r"\,")], environment)
        told = re.search(r"test cases:\s*1 \|\s*(\d) passed", said)
        if not told:
            raise SystemExit(f"mutate: there is no unit test {name!r}:\n{said[-2000:]}")
        return told.group(1) == "0", said

    @staticmethod
    def command(words, environment):
        """Its output; when we are told to stop or it does not end, it still tidies up after itself."""
        with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, cwd=ROOT, errors="replace") as running:
            try:
                return running.communicate(timeout=TRIAL_S)[0]
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGINT)
                return running.communicate()[0] + f"\nnot done within {TRIAL_S} s"
            except BaseException:
                running.send_signal(signal.SIGINT)
                running.communicate()
                raise


def without(mutation, build, mutants):
    """The row of the table for one wall."""
    row = {"name": mutation.name, "needs": "", "red": [], "green": []}
    missing = lacks(mutation)
    if missing:
        return {**row, "needs": missing}
    if mutation.covered and not mutation.together:
        return row
    with Trial(build, mutants / mutation.name) as trial:
        red, said = trial.run(mutation.red)
    if mutation.red - red:
        (mutants / f"{mutation.name}.log").write_text(said, encoding="utf-8")
    return {**row, "red": sorted(red), "green": sorted(mutation.red - red)}


def raise_own_limits():
    """What hard limits of a careless starter would let a tenant do must be for the jail to take away."""
    for limit, value in ((resource.RLIMIT_RTPRIO, 50), (resource.RLIMIT_NICE, 40)):
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):
            pass
