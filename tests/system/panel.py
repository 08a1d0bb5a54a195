"""A control panel's view of a host: its API, and what it leaves in the directories."""
import os

import api_client
import processes
from rowhouse_host import Tenant

LARGE_PLAN = "  large: { memory: 2G, cpu: 300%, pids: 300, workers: 9, threads: 8, concurrency: 64, queue: 64 }\n"


def start_acme(host):
    """A host with the plans test and large, and acme/site running on test."""
    host.gateways = 1
    host.plans += LARGE_PLAN
    tenant = host.add_probe("acme")
    host.start("acme/site")
    return tenant


def api(host, method, path, body=None):
    return api_client.call(host.socket_path, method, path, body)


def api_as(host, uid, method, path, body=None):
    return api_client.call_as(uid, host.socket_path, method, path, body)


def file_of(host, name):
    return host.directory / "tenants.d" / f"{name}.yaml"


def new_tenant(host, name):
    """A home and a uid for a tenant that the API shall register; and the body of the call."""
    uid, host.next_uid = host.next_uid, host.next_uid + 1
    home = host.directory / "homes" / name
    home.mkdir(mode=0o750)
    os.chown(home, uid, uid)
    tenant = host.tenants[name] = Tenant(name, uid, home, [f"{name}.test"])
    return tenant, {"uid": uid, "gid": uid, "home": str(home), "plan": "test", "domains": tenant.domains}


def staged_files(host):
    return [p.name for p in (host.directory / "tenants.d").iterdir() if p.name.startswith(".")]


def control_pid(host):
    found = [p.pid for p in processes.descendants(host.daemon.pid)
             if (processes.uids_of(p.pid) or [0])[0] == host.control_uid and p.state != "Z"]
    return found[0] if found else None
