"""Hooks of rowhouse-control: events are brought in order, at least once, and a bad receiver harms nobody."""
import json
import os
import pathlib
import socket
import threading

import pytest
from control_driver import ACME_UID, CONTROL_UID, EXIT, wait_until


class Receiver(threading.Thread):
    """A server on a UNIX socket or a port of loopback that remembers each POST and answers as told."""

    def __init__(self, path=None, statuses=()):
        super().__init__(daemon=True)
        self.statuses, self.bodies, self.heads = list(statuses), [], []
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        if path:
            os.chmod(path, 0o666)
        else:
            self.port = self.listener.getsockname()[1]
        self.listener.listen(8)
        self.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = stream.readline()
                    if not line:
                        break
                    head += line
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = json.loads(stream.read(size))
                status = self.statuses.pop(0) if self.statuses else 200
                self.heads.append(head)
                if status == 200:
                    self.bodies.append(body)
                connection.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())

    def events(self):
        return [event for body in self.bodies for event in body["events"]]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def put(control, name, body, uid=0):
    return control.ask("PUT", f"/v1/hooks/{name}", json.dumps(body), uid=uid)


def hook(control, name="panel"):
    return next(h for h in control.ask("GET", "/v1/hooks").json["hooks"] if h["name"] == name)


def test_events_are_posted_in_order_over_both_kinds_of_socket(control, site, shop):
    receivers = [Receiver(control.directory / "panel.sock"), Receiver()]
    urls = [f"unix:{control.directory}/panel.sock:/events?x=1", f"http://127.0.0.1:{receivers[1].port}/in"]
    control.directory.chmod(0o755)
    for number, url in enumerate(urls):
        answer = put(control, f"panel-{number}", {"url": url, "types": ["died"], "tenants": ["acme"]})
        assert answer.status == 200, answer.body
    for worker in range(1, 8):
        control.death(site, EXIT, 1, worker=worker)
        control.death(shop, EXIT, 1, worker=worker)
    for receiver, target in zip(receivers, (b"/events?x=1", b"/in")):
        wait_until(lambda r=receiver: len(r.events()) >= 7, "all are there", 30)
        assert [event["worker"] for event in receiver.events()] == list(range(1, 8))
        assert {event["tenant"] for event in receiver.events()} == {"acme"}
        assert receiver.heads[0].startswith(b"POST " + target + b" HTTP/1.1\r\n")
        receiver.close()
    assert hook(control, "panel-0")["failures"] == 0


def test_what_is_refused_comes_again_and_so_does_what_was_on_the_way_when_control_died(control, site):
    receiver = Receiver(statuses=[500, 503])
    put(control, "panel", {"url": f"http://localhost:{receiver.port}/"})
    control.death(site, EXIT, 1, worker=1)
    wait_until(lambda: [e["type"] for e in receiver.events()].count("died") == 1, "it comes again", 30)
    assert len(receiver.heads) >= 3
    receiver.statuses = [500] * 100
    control.death(site, EXIT, 1, worker=2)
    wait_until(lambda: hook(control)["failures"] > 0, "it is refused", 30)
    assert hook(control)["problem"] == "it answered 500"
    control.restart()
    receiver.statuses = []
    wait_until(lambda: 2 in [e.get("worker") for e in receiver.events()], "after a restart too", 30)
    receiver.close()


def test_a_program_gets_the_events_without_privileges(control, site):
    place = control.usage / "seen"
    program = control.directory / "hook.sh"
    program.write_text(f'#!/bin/sh\n{{ id -u; echo "$ROWHOUSE_HOOK $1"; grep NoNewPrivs /proc/self/status; ls /proc/self/fd | wc -l; cat; }} > {place}.new && mv {place}.new {place}\n',
                       encoding="utf-8")
    program.chmod(0o755)
    put(control, "mail", {"exec": [str(program), "an argument; with $signs"], "types": ["died"]})
    control.death(site, EXIT, 1, worker=3)
    wait_until(place.exists, "it has run", 30)
    uid, words, privileges, descriptors, body = place.read_text(encoding="utf-8").split("\n", 4)
    assert uid == str(CONTROL_UID) and words == "mail an argument; with $signs"
    assert privileges.split() == ["NoNewPrivs:", "1"] and int(descriptors) <= 4
    assert [event["worker"] for event in json.loads(body)["events"]] == [3]
    wait_until(lambda: hook(control, "mail")["delivered"] > 0, "it is taken")
    put(control, "mail", {"exec": ["/bin/false"], "types": ["died"]})
    control.death(site, EXIT, 1, worker=4)
    wait_until(lambda: hook(control, "mail")["problem"] == "it exited with 1", "the failure is told", 30)
    put(control, "mail", {"exec": ["/nowhere"], "types": ["died"]})
    wait_until(lambda: "cannot be started" in (hook(control, "mail")["problem"] or ""), "so is this", 30)


def test_a_receiver_that_never_answers_holds_up_nothing(control, site):
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(1)
    put(control, "silent", {"url": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
    put(control, "sleepy", {"exec": ["/bin/sleep", "1000"]})
    for worker in range(1, 30):
        control.death(site, EXIT, 1, worker=worker)
    control.settle()
    wait_until(lambda: len(control.stored) == 29, "deaths are stored meanwhile", 30)
    assert control.ask("DELETE", "/v1/hooks/silent").status == 200
    assert control.ask("DELETE", "/v1/hooks/sleepy").json == {"hooks": []}
    children = pathlib.Path(f"/proc/{control.process.pid}/task/{control.process.pid}/children")
    wait_until(lambda: children.read_text(encoding="ascii") == "", "its program has ended with it")
    silent.close()


@pytest.mark.parametrize("body, pointer", [
    ({}, ""), ({"url": "http://10.0.0.1:80/"}, "/url"), ({"url": "https://127.0.0.1:1/"}, "/url"),
    ({"url": "http://127.0.0.1:0/"}, "/url"), ({"url": "http://127.0.0.1:1/a b"}, "/url"),
    ({"url": "unix:/" + "x" * 200}, "/url"), ({"url": "http://127.0.0.1:1x"}, "/url"),
    ({"exec": []}, "/exec"), ({"exec": ["relative"]}, "/exec"), ({"exec": ["/a"] * 17}, "/exec"),
    ({"exec": [""]}, "/exec"), ({"url": "http://127.0.0.1:1/", "exec": ["/a"]}, ""),
    ({"url": "http://127.0.0.1:1/", "types": "died"}, "/types"), ({"url": "http://127.0.0.1:1/", "x": 1}, None)])
def test_what_is_no_hook_is_refused(control, body, pointer):
    answer = put(control, "panel", body)
    assert answer.status == 400, answer.body
    assert pointer is None or answer.error.get("pointer", "") == pointer
    assert control.ask("GET", "/v1/hooks").json == {"hooks": []}


def test_hooks_are_the_administrators_own(control):
    assert put(control, "panel", {"exec": ["/bin/true"]}, uid=ACME_UID).status == 403
    assert control.ask("GET", "/v1/hooks", uid=ACME_UID).status == 403
    assert control.ask("DELETE", "/v1/hooks/panel").status == 404
    assert control.ask("POST", "/v1/hooks/panel").status == 405
    for number in range(16):
        assert put(control, f"hook-{number}", {"exec": ["/bin/true"]}).status == 200
    assert put(control, "one-more", {"exec": ["/bin/true"]}).status == 409
    assert control.cli("hooks", "remove", "hook-3").returncode == 0
    shown = control.cli("hooks", "set", "told", "--exec", "/bin/true", "x", "--type", "died", "--type", "ended")
    assert shown.returncode == 0 and "died ended" in shown.stdout and "/bin/true x" in shown.stdout, shown
