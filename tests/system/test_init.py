"""rowhouse init: what lies in a home becomes a manifest that serves it."""
import os
import subprocess

import pytest
from rowhouse_host import BUILD

FLASK = "import flask\n\napp = flask.Flask(__name__)\n\n\n@app.route('/')\ndef index():\n    return 'flask here'\n"
FASTAPI = ("from fastapi import FastAPI\n\napi: FastAPI = FastAPI(title='x')\n\n\n@api.get('/')\ndef index():\n"
           "    return 'fastapi here'\n")
FACTORY = ("from flask import Flask\n\n\ndef create_app():\n    site = Flask(__name__)\n\n    @site.route('/')\n    def index():\n"
           "        return 'factory here'\n    return site\n")
SCRIPT = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'script here']\n"
APPS = {
    "flask": ({"shop/app.py": FLASK}, 'wsgi: "app:app"', "flask here"),
    "fastapi": ({"main.py": FASTAPI}, 'asgi: "main:api"', "fastapi here"),
    "factory": ({"My Site/wsgi.py": FACTORY}, "factory: true", "factory here"),
    "package": ({"blog/app/__init__.py": FACTORY}, 'wsgi: "app:create_app"', "factory here"),
    "passenger": ({"public/passenger_wsgi.py": SCRIPT, "public/app.py": FLASK}, 'wsgi: "public/passenger_wsgi.py"', "script here"),
    "script": ({"site.wsgi": SCRIPT}, 'wsgi: "site.wsgi"', "script here"),
}


def init(host, tenant, *arguments):
    """As the customer, over SSH."""
    return subprocess.run([os.path.join(BUILD, "rowhouse"), "--socket", str(host.socket_path), "init", *arguments], user=tenant.uid, group=tenant.uid,
                          extra_groups=[], cwd=tenant.home, capture_output=True, text=True, timeout=60,
                          env={"HOME": str(tenant.home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_tenant("acme")
    host.start()
    return tenant


@pytest.mark.parametrize("kind", APPS)
def test_an_app_that_is_found_is_served(host, acme, kind):
    files, said, text = APPS[kind]
    for path, source in files.items():
        acme.put(path, source)
    acme.put("README", "no app")
    trial = init(host, acme, "--dry-run")
    assert trial.returncode == 0 and said in trial.stdout and not (acme.home / "rowhouse.yaml").exists(), trial
    done = init(host, acme)
    assert done.returncode == 0 and done.stdout.endswith("rowhouse.yaml: valid\n"), done
    written = (acme.home / "rowhouse.yaml").read_text()
    assert written == trial.stdout and acme.domain in written
    assert host.cli("reload", "acme").code == 0
    [name] = [app["app"] for app in host.cli("status", "--json").json["apps"]]
    host.wait_running(f"acme/{name}")
    assert host.http(acme.domain, "/").text.strip('"') == text
    # What an editor has made of it is not lost.
    again = init(host, acme)
    assert again.returncode == 1 and "is there already" in again.stderr
    assert (acme.home / "rowhouse.yaml").read_text() == written


def test_a_django_project_comes_with_its_static_files_and_its_virtualenv(host, acme):
    acme.run("sh", "-c", "mkdir web && cd web && django-admin startproject proj . && python3 -m venv --without-pip --system-site-packages .venv "
             "&& echo 'STATIC_ROOT = BASE_DIR / \"collected\"' >>proj/settings.py "
             "&& sed -i 's/^ALLOWED_HOSTS = .*/ALLOWED_HOSTS = [\"*\"]/' proj/settings.py && python3 manage.py collectstatic --noinput")
    done = init(host, acme, "web", "--domain", acme.domain)
    assert done.returncode == 0, done
    written = (acme.home / "rowhouse.yaml").read_text()
    for said in ('wsgi: "proj.wsgi:application"', 'directory: "web"', 'python: "3.11"', 'virtualenv: "web/.venv"', '/static/: "web/collected"'):
        assert said in written, written
    assert host.cli("reload", "acme").code == 0
    host.wait_running("acme/web", 60)
    assert "The install worked successfully" in host.http(acme.domain, "/").text
    assert host.http(acme.domain, "/static/admin/css/base.css").status == 200


def test_what_cannot_be_decided_is_said(host, acme):
    nothing = init(host, acme)
    assert nothing.returncode == 1 and "no app was found" in nothing.stderr
    acme.put("one/app.py", FLASK)
    acme.put("two/app.py", FASTAPI)
    several = init(host, acme)
    assert several.returncode == 1 and "rowhouse init one" in several.stderr and "rowhouse init two   (FastAPI)" in several.stderr
    assert init(host, acme, "/etc").returncode == 1
    host.stop()
    alone = init(host, acme, "two")
    assert alone.returncode == 1 and "--domain" in alone.stderr and not (acme.home / "rowhouse.yaml").exists()
    assert init(host, acme, "two", "--domain", "x.example").returncode == 0
    host.start()
