"""What the tests of limits, kills and reloads share: a tenant with the greedy app, and its cgroups."""
import json
import pathlib

import processes
from rowhouse_host import APPS, BUILD  # noqa: F401

PLAN = {"memory": "512M", "cpu": "200%", "pids": "128", "workers": "4", "threads": "16", "concurrency": "200",
        "queue": "200"}


def set_plan(host, **keys):
    """The plan `test` with these keys; a key that is None is left out."""
    plan = {**PLAN, **keys}
    host.plans = "  test: { " + ", ".join(f"{key}: {value}" for key, value in plan.items() if value) + " }\n"


def add(host, name="acme", app="site", **keys):
    tenant = host.add_tenant(name)
    tenant.copy(APPS / "greedy", "greedy")
    host.set_probe(tenant, app, **{"wsgi": "greedy:application", "directory": "greedy",
                                   "timeouts": "{ startup: 60s, graceful: 500ms, shutdown: 500ms }", **keys})
    return tenant


def ask(host, tenant, path):
    answer = host.http(tenant.domain, path)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def directory(pid, controller):
    """The cgroup directory of a process in the hierarchy that has the controller, v1 or v2."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for mount in processes.cgroup_mounts(controllers):
            found = pathlib.Path(mount + path)
            offered = found / "cgroup.controllers"
            if controllers or (offered.exists() and controller in offered.read_text().split()):
                return found
    raise AssertionError(f"process {pid} is in no hierarchy with {controller}")


def tenant_group(pid, controller):
    [found] = [each for each in directory(pid, controller).parents if each.name.startswith("t-")]
    return found


def app_group(pid, controller):
    [found] = [each for each in directory(pid, controller).parents if each.name.startswith("a-")]
    return found


def read(group, *names):
    """The first of these files that is there: v1 and v2 call them differently."""
    for name in names:
        if (group / name).exists():
            return (group / name).read_text().strip()
    raise AssertionError(f"none of {names} in {group}")


def memory_limit(group):
    return read(group, "memory.max", "memory.limit_in_bytes")


def cpu_quota(group):
    return read(group, "cpu.max", "cpu.cfs_quota_us").split()[0]


def all_groups(host):
    """Every cgroup of this host's tenants, in every hierarchy."""
    return [path for root in host.cgroup_roots for path in root.glob("tenants/**/") if path.exists()]
