"""Every CPython that was built runs real apps, WSGI and ASGI, with virtualenvs of its own version only."""
import json
import os
import shutil
import subprocess

import pytest
import test_wsgi_behaviours as behaviours
from http_client import Connection
from processes import wait_until
from rowhouse_host import BUILD, PATIENCE_S, PYTHONS, ROOT
from websocket_client import WebSocket

APP = """
    import asyncio, ctypes, datetime, decimal, hashlib, json, os, socket, sqlite3, ssl, sys, threading, zlib

    def facts():
        beside = os.path.dirname(sys.base_prefix)
        return json.dumps({"version": list(sys.version_info[:2]), "prefix": sys.prefix, "base": sys.base_prefix,
                           "path": sys.path, "executable": sys.executable, "beside": os.listdir(beside),
                           "read_only": bool(os.statvfs(sys.base_prefix).f_flag & os.ST_RDONLY)}).encode()

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [facts()]

    async def parts(receive, send):
        message = {"more_body": True}
        await send({"type": "http.response.start", "status": 200})
        while message["more_body"]:
            message = await receive()
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                await send({"type": (await receive())["type"] + ".complete"})
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"][::-1]})
            return
        if scope["method"] == "POST":
            return await parts(receive, send)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": await asyncio.get_running_loop().run_in_executor(None, facts)})
"""


@pytest.fixture(params=PYTHONS, ids=lambda row: row.version)
def python(request):
    """(version, program, prefix) of one worker."""
    return request.param


def offer_all(host):
    host.extra_config += "pythons: [" + ", ".join(f'"{row.version}"' for row in PYTHONS) + "]\n"


def create_tenant(host, version, keys=""):
    offer_all(host)
    tenant = host.add_tenant("acme")
    tenant.put("site/app.py", APP)
    tenant.manifest(f"apps:\n"
                    f"  wsgi: {{ routes: [{tenant.domain}], wsgi: 'app:application', directory: site, python: '{version}'{keys} }}\n"
                    f"  asgi: {{ routes: [{tenant.domain}/asgi], asgi: 'app:asgi', directory: site, python: '{version}'{keys} }}\n")
    return tenant


@pytest.mark.needs("pythons")
def test_each_cpython_from_3_8_to_3_13_has_a_worker():
    for row in PYTHONS:
        assert os.access(BUILD / row.program, os.X_OK)
        path = subprocess.run(["readelf", "-d", BUILD / row.program], capture_output=True, text=True, check=True).stdout
        assert (f"[{row.prefix}/lib]" in path) == (row.prefix != "/usr"), "the rpath is that of its Python"


def test_wsgi_and_asgi_run_in_this_version(host, python):
    version, _, prefix = python
    tenant = create_tenant(host, version)
    host.start("acme/wsgi", "acme/asgi")
    for path in ("/", "/asgi"):
        facts = json.loads(host.http(tenant.domain, path).body)
        assert ".".join(map(str, facts["version"])) == version
        assert facts["prefix"] == prefix and facts["read_only"]
        # Wherever it lies on the host, below a directory that no tenant can enter too: nothing else of it is seen.
        assert prefix == "/usr" or facts["beside"] == [os.path.basename(prefix)]
    body = os.urandom(1 << 20)
    with Connection(host.port) as connection:
        assert connection.request(tenant.domain, "/asgi/", method="POST", body=body).body == body
    with WebSocket(host.port, tenant.domain, "/asgi/echo") as socket:
        for text in ("abc", "x" * 100_000, "Grüße"):
            socket.send(text)
            assert socket.receive() == text[::-1]
        assert socket.close(1001) == (1001, "")
    for app in ("acme/wsgi", "acme/asgi"):
        assert host.cli("restart", app).code == 0
        assert "Traceback" not in host.cli("logs", app).out


def test_the_behaviours_of_wsgi_are_those_of_this_version_too(host, python):
    offer_all(host)
    tenant = behaviours.create(host, f", python: '{python.version}'")
    for row in behaviours.ROWS:
        behaviours.run(host, tenant, row, "", "acme/plain")
        if row.valid:
            behaviours.run(host, tenant, row, "/validated", "acme/validated")


def test_a_virtualenv_of_this_version_is_as_activate_makes_it(host, python):
    version, _, prefix = python
    tenant = create_tenant(host, version, ", virtualenv: venv")
    subprocess.run([f"{prefix}/bin/python{version}", "-I", "-m", "venv", "--without-pip", tenant.home / "venv"], check=True)
    (tenant.home / f"venv/lib/python{version}/site-packages/only_here.py").write_text("here = 'yes'\n")
    tenant.own(tenant.home / "venv")
    tenant.put("site/app.py", APP + "\n    import only_here\n")
    host.start("acme/wsgi", "acme/asgi")
    for path in ("/", "/asgi"):
        facts = json.loads(host.http(tenant.domain, path).body)
        assert facts["prefix"] == str(tenant.home / "venv") and facts["base"] == prefix
        assert f"{tenant.home}/venv/lib/python{version}/site-packages" in facts["path"]


def failed_start(host, sentence):
    host.start()
    last = host.wait_status("acme/wsgi", lambda s: s["last_exit"] is not None)["last_exit"]
    assert last["code"] == "RH-IMPORT" and "virtualenv" in last["detail"], last
    wait_until(lambda: sentence in host.cli("logs", "acme/wsgi").out, PATIENCE_S, f"{sentence!r} in the log")


def test_a_virtualenv_of_another_version_does_not_start(host, python):
    version = python.version
    other = "3.7" if version != "3.7" else "3.8"
    tenant = create_tenant(host, version, ", virtualenv: venv")
    tenant.put("venv/pyvenv.cfg", f"home = /usr/bin\nversion = {other}.4\n")
    failed_start(host, f"was made for Python {other}, but the app runs on Python {version}")


def test_a_virtualenv_without_its_interpreter_does_not_start(host, python):
    version = python.version
    tenant = create_tenant(host, version, ", virtualenv: venv")
    tenant.put("venv/pyvenv.cfg", f"home = /nowhere\nversion = {version}.4\n")
    (tenant.home / "venv/bin").mkdir()
    os.symlink("/nowhere/python", tenant.home / "venv/bin/python")
    failed_start(host, "is broken: bin/python")


def test_a_version_that_is_not_offered_is_refused_by_name(host):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", APP)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], wsgi: 'app:application', python: '3.4' }}\n")
    host.start()
    wait_until(lambda: "Python 3.4 is not offered on this host" in host.cli("status", "--json").out, PATIENCE_S, "the refusal")


@pytest.mark.parametrize("shared, sentence", [(0, "has no shared libpython"), (1, "workers are built for 3.8 to 3.13")])
def test_an_installation_that_cannot_be_embedded_is_refused_at_configure_time(tmp_path, shared, sentence):
    """With a fake interpreter, which answers what such an installation would."""
    program = tmp_path / "prefix/bin/python3"
    program.parent.mkdir(parents=True)
    version = "3.12" if not shared else "3.7"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {version} {shared} {version} /nowhere /nowhere\n")
    program.chmod(0o755)
    done = subprocess.run(["/usr/bin/meson", "setup", tmp_path / "build", ROOT, f"-Dpythons={tmp_path}/prefix"],
                          capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr


def test_a_python_that_is_no_longer_where_it_was_is_said_by_its_place(host, tmp_path):
    """With the programs of this build and a table that names another prefix."""
    programs = host.directory / "programs"
    programs.mkdir()
    for program in BUILD.glob("rowhouse*"):
        if program.is_file():
            shutil.copy2(program, programs / program.name)
    first = PYTHONS[0]
    (programs / "pythons.table").write_text(f"{first.version} {first.program} {first.prefix}\n3.9 {first.program} /nowhere/3.9\n")
    host.command = [programs / "rowhoused"]
    tenant = host.add_tenant("acme")
    tenant.put("app.py", APP)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], wsgi: 'app:application', python: '3.9' }}\n"
                    f"  good: {{ routes: [{tenant.domain}/good], wsgi: 'app:application' }}\n")
    host.start("acme/good")
    assert host.wait_status("acme/site", lambda s: s["last_exit"])["last_exit"]["code"] == "RH-SPAWN"
    assert "Python 3.9 is not at /nowhere/3.9, where its worker was built for it" in host.log


def test_the_pythons_of_a_machine_are_found_by_their_prefixes(tmp_path):
    versions = tmp_path / "root/versions"
    for name, shared in (("3.7.9", True), ("3.9.2", True), ("3.9.10", True), ("3.10.1", False), ("3.14.0", True), ("2.7.18", True)):
        version = name.rpartition(".")[0]
        for directory in ("bin", "lib/pkgconfig"):
            (versions / name / directory).mkdir(parents=True)
        (versions / name / f"lib/pkgconfig/python-{version}-embed.pc").touch()
        (versions / name / "bin/python3").symlink_to("/usr/bin/python3")
        if shared:
            (versions / name / f"lib/libpython{version}.so").touch()
    (tmp_path / "bin").mkdir()
    for name, text in (("pyenv", f"echo {tmp_path}/root"), ("pkg-config", "exit 1")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    found = subprocess.run([ROOT / "packaging/find-pythons"], env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, capture_output=True,
                           text=True, check=True).stdout
    assert [prefix for prefix in found.strip().split(",") if str(tmp_path) in prefix] == [f"{versions}/3.9.10"]
