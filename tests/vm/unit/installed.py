"""An installed Rowhouse on this machine, with users, tenants and configuration, driven through systemctl."""
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess

import http_client
import processes
from processes import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
UNIT = "rowhoused.service"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CONFIG = pathlib.Path("/etc/rowhouse")
PORT = 80
PATIENCE_S = 60
APPS = {"acme/site": "acme.localhost", "globex/shop": "globex.localhost", "initech/site": "initech.localhost"}
QUICK_APPS = ("globex/shop", "initech/site")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def as_tenant(name, *command, cwd):
    user = pwd.getpwnam(name)
    environment = {"HOME": user.pw_dir, "USER": name, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return run(*command, cwd=cwd, env=environment, user=user.pw_uid, group=user.pw_gid, extra_groups=[])


def add_tenant(name, source):
    """A user whose home holds a copy of `source`, and its file in the registry."""
    run("useradd", "--create-home", "--shell", "/bin/bash", name)
    home = pathlib.Path(pwd.getpwnam(name).pw_dir)
    home.chmod(0o750)
    shutil.copytree(source, home, dirs_exist_ok=True)
    for path in [home, *home.rglob("*")]:
        shutil.chown(path, name, name)
    manifest = home / "rowhouse.yaml"  # an emulated processor takes its time to import Django
    manifest.write_text(manifest.read_text().replace("    routes:", "    timeouts: { startup: 60s }\n    routes:"))
    (CONFIG / "tenants.d" / f"{name}.yaml").write_text(
        f"user: {name}\nplan: pro\ndomains: [{name}.localhost]\nmanifest: rowhouse.yaml\n")
    return home


def prepare_django(home):
    # Both commands in one process: importing Django takes longer here than what they do.
    script = ("import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'acme.settings'; django.setup()\n"
              "from django.core.management import call_command as call\n"
              "call('migrate', verbosity=0); call('collectstatic', interactive=False, verbosity=0)\n")
    as_tenant("acme", "/usr/bin/python3", "-c", script, cwd=home / "site")


def prefix():
    """Where it was installed: the unit knows."""
    unit = run("systemctl", "show", "--property=FragmentPath", "--value", UNIT).strip()
    return pathlib.Path(unit).parents[3]  # PREFIX/lib/systemd/system/rowhoused.service


def install():
    """What docs/install.md says, and three tenants."""
    run("cp", "-a", "/mnt/install/.", "/")
    run("systemd-sysusers")
    run("systemctl", "daemon-reload")
    (CONFIG / "tenants.d").mkdir(parents=True)
    shutil.copy(prefix() / "share/rowhouse/rowhouse.yaml", CONFIG)
    prepare_django(add_tenant("acme", ROOT / "examples/acme"))
    add_tenant("globex", ROOT / "examples/globex")
    add_tenant("initech", pathlib.Path(__file__).resolve().parent / "apps/initech")
    return Machine()


class Machine:
    """The unit and what it runs."""

    # --- the unit --------------------------------------------------------------------------------------------
    def start(self, apps=tuple(APPS)):
        """Returns when the unit has said that it is ready and the apps serve."""
        run("systemctl", "start", UNIT)
        self.wait_running(apps)

    def restarts(self):
        """How often systemd has started it again by itself."""
        return int(self.show("NRestarts"))

    def wait_restarted(self, before):
        wait_until(lambda: self.restarts() == before + 1 and self.show("ActiveState") == "active", PATIENCE_S,
                   lambda: f"systemd starts it again\n{self.journal()[-4000:]}")

    def stop(self):
        run("systemctl", "stop", UNIT)

    def show(self, name):
        return run("systemctl", "show", "--property", name, "--value", UNIT).strip()

    @property
    def keeper(self):
        return int(self.show("MainPID"))

    @property
    def supervisor(self):
        found = [p.pid for p in processes.children(self.keeper) if "--supervisor" in command_line(p.pid)]
        assert len(found) == 1, found
        return found[0]

    @property
    def directory(self):
        """The unit's own group, with all of ours below it."""
        return CGROUPS / "system.slice" / UNIT

    def journal(self):
        return run("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager")

    def drop_in(self, text):
        """Replaces the test's drop-in of the unit; empty removes it."""
        path = pathlib.Path("/etc/systemd/system") / f"{UNIT}.d" / "test.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        run("systemctl", "daemon-reload")

    def leftovers(self):
        """What is there after a stop and should not be."""
        uids = [pwd.getpwnam(name).pw_uid for name in ("acme", "globex", "initech", "rowhouse-gateway", "rowhouse-control")]
        left = [f"process {p}" for p in processes.processes_of_uids(uids)]
        left += [f"process {p}" for p in processes.all_processes() if p.name.startswith("rowhouse")]
        left += [f"cgroup {path}" for path in CGROUPS.rglob("*rowhouse*") if path.is_dir()]
        return left + [f"{path}" for path in (pathlib.Path("/run/rowhouse"),) if path.exists()]

    # --- what it runs ----------------------------------------------------------------------------------------
    def cli(self, *arguments):
        return run(prefix() / "bin/rowhouse", *arguments)

    def status(self, app):
        return json.loads(self.cli("status", app, "--json"))["apps"][0]

    def workers(self, app):
        return [worker["pid"] for worker in self.status(app)["workers"] if worker["state"] == "ready"]

    def wait_running(self, apps=tuple(APPS)):
        for app in apps:
            wait_until(lambda name=app: self.is_running(name), PATIENCE_S, lambda: f"{app}\n{self.journal()[-4000:]}")

    @staticmethod
    def find(app):
        """Its status; nothing while nobody answers or nobody knows it."""
        done = subprocess.run([prefix() / "bin/rowhouse", "status", app, "--json"], capture_output=True, text=True,
                              check=False)
        return None if done.returncode else json.loads(done.stdout)["apps"][0]

    def last_exit(self, app):
        status = self.find(app)
        return status and status["last_exit"]

    def is_running(self, app):
        status = self.find(app)
        return status is not None and status["state"] == "running" and any(worker["state"] == "ready" for worker in status["workers"])

    def get(self, app, path="/"):
        return http_client.get(PORT, APPS[app], path)

    def confinement(self, app):
        """Of each worker: its group below the unit's, and the limits of its tenant's group."""
        tenant = self.directory / "tenants" / f"t-{app.split('/')[0]}"
        limits = {name: (tenant / name).read_text().strip() for name in ("memory.max", "pids.max", "cpu.max")}
        return {pid: (str(cgroup_of(pid).relative_to(self.directory)), limits) for pid in self.workers(app)}


def cgroup_of(pid):
    line = pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip()
    assert re.fullmatch("0::/.*", line), line
    return CGROUPS / line[4:]


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}")
