"""Every CPython that was built runs real apps, WSGI and ASGI, with virtualenvs of its own version only."""
import json
import os
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import BUILD, PATIENCE_S, ROOT

TABLE = [line.split(" ", 2) for line in (BUILD / "pythons.table").read_text().splitlines() if line] \
    if (BUILD / "pythons.table").exists() else []

APP = """
    import asyncio, ctypes, datetime, decimal, hashlib, json, socket, sqlite3, ssl, sys, threading, zlib

    def facts():
        return json.dumps({"version": list(sys.version_info[:2]), "prefix": sys.prefix, "base": sys.base_prefix,
                           "path": sys.path, "executable": sys.executable}).encode()

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [facts()]

    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": facts()})
"""


@pytest.fixture(params=TABLE, ids=[row[0] for row in TABLE])
def python(request):
    """(version, program, prefix) of one worker."""
    return request.param


def offer_all(host):
    host.extra_config += "pythons: [" + ", ".join(f'"{row[0]}"' for row in TABLE) + "]\n"


def create_tenant(host, version, keys=""):
    offer_all(host)
    tenant = host.add_tenant("acme")
    tenant.put("site/app.py", APP)
    tenant.manifest(f"apps:\n"
                    f"  wsgi: {{ routes: [{tenant.domain}], wsgi: 'app:application', directory: site, python: '{version}'{keys} }}\n"
                    f"  asgi: {{ routes: [{tenant.domain}/asgi], asgi: 'app:asgi', directory: site, python: '{version}'{keys} }}\n")
    return tenant


def test_wsgi_and_asgi_run_in_this_version(host, python):
    version, _, prefix = python
    tenant = create_tenant(host, version)
    host.start("acme/wsgi", "acme/asgi")
    for path in ("/", "/asgi"):
        facts = json.loads(host.http(tenant.domain, path).body)
        assert ".".join(map(str, facts["version"])) == version
        assert facts["prefix"] == prefix


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
    version, _, _ = python
    other = "3.7" if version != "3.7" else "3.8"
    tenant = create_tenant(host, version, ", virtualenv: venv")
    tenant.put("venv/pyvenv.cfg", f"home = /usr/bin\nversion = {other}.4\n")
    failed_start(host, f"was made for Python {other}, but the app runs on Python {version}")


def test_a_virtualenv_without_its_interpreter_does_not_start(host, python):
    version, _, _ = python
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
