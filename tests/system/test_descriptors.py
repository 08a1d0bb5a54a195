"""A gateway whose descriptors strangers have taken: it goes on, and what the supervisor sends still reaches it."""
import pathlib
import select
import socket
import subprocess

import pytest
from http_client import Connection
from processes import wait_until


def numbers(pid):
    return [int(entry.name) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]


def run_as_gateway(host, *command):
    """Its own user may change its limit below the hard one; root alone may not everywhere."""
    ids = {"user": host.gateway_uid, "group": host.gateway_uid, "extra_groups": []}
    return subprocess.run(["prlimit", *map(str, command)], **ids, capture_output=True, text=True, check=True, cwd="/").stdout


def limit(host, pid):
    return int(run_as_gateway(host, "--pid", pid, "--nofile", "--output", "SOFT", "--noheadings"))


def set_limit(host, pid, number):
    run_as_gateway(host, "--pid", pid, f"--nofile={number}:")


def readable(sockets):
    return select.select(sockets, [], [], 0.1)[0]


@pytest.mark.sanitized
def test_a_gateway_without_a_free_descriptor_hears_the_supervisor_and_serves_who_is_there(host):
    host.gateways = 1
    host.add_probe("acme")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    [gateway] = host.gateway_pids()
    with Connection(host.port) as neighbour:
        assert neighbour.request("globex.test", "/hello").status == 200
        before = limit(host, gateway)
        set_limit(host, gateway, max(numbers(gateway)) + 11)
        crowd = [socket.create_connection(("127.0.0.1", host.port)) for _ in range(40)]
        try:
            wait_until(lambda: any(s.recv(100, socket.MSG_DONTWAIT | socket.MSG_PEEK).startswith(b"HTTP/1.1 503") for s in readable(crowd)), 10,
                       "some are turned away")
            for _ in range(3):
                assert host.cli("restart", "globex/site").code == 0
            assert host.gateway_pids() == [gateway]
            assert neighbour.request("globex.test", "/hello").status == 200
        finally:
            for each in crowd:
                each.close()
            set_limit(host, gateway, before)
    wait_until(lambda: host.http("acme.test").status == 200, 10, "everybody is served again")
    assert host.gateway_pids() == [gateway] and host.http("globex.test").status == 200
