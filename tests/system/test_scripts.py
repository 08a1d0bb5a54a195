"""Script files as apps: app.wsgi and passenger_wsgi.py, relative to the home; factories; and what the process is given."""
import json

import pytest
from processes import wait_until
from rowhouse_host import PATIENCE_S

SCRIPT = """
    import json, os, sys, time
    import beside

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"file": __file__, "name": __name__, "cwd": os.getcwd(), "path": sys.path, "beside": beside.here,
                            "zone": time.tzname[0], "environment": dict(os.environ), "umask": os.umask(0o22),
                            "flags": [sys.flags.utf8_mode, sys.flags.isolated, sys.flags.ignore_environment]}).encode()]
"""
FACTORY = """
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"made"})

    def create_app():
        return app
"""


def answer_of(host, tenant, keys, path="/"):
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], {keys} }}\n")
    host.start("acme/site")
    response = host.http(tenant.domain, path)
    assert response.status == 200, host.cli("logs", "acme/site").out
    return response.body


@pytest.mark.parametrize("name", ["app.wsgi", "passenger_wsgi.py"])
@pytest.mark.parametrize("key", ["wsgi", "app"])
def test_a_script_file_defines_application(host, name, key):
    tenant = host.add_tenant("acme")
    tenant.put(f"blog/{name}", SCRIPT)
    tenant.put("blog/beside.py", "here = 'imported'\n")
    facts = json.loads(answer_of(host, tenant, f"{key}: blog/{name}, directory: blog, env: {{ TZ: Asia/Tokyo, COLOUR: 'blue' }}"))
    blog = str(tenant.home / "blog")
    assert facts["file"] == f"{blog}/{name}" and facts["cwd"] == facts["path"][0] == blog and facts["beside"] == "imported"
    assert facts["zone"] == "JST" and facts["umask"] == 0o022 and facts["flags"] == [0, 1, 1]
    given = facts["environment"]
    assert given["HOME"] == str(tenant.home) and given["COLOUR"] == "blue" and given["LANG"] == "C.UTF-8"
    assert given["USER"] == given["LOGNAME"] and given["USER"]
    assert not [each for each in given if each.startswith(("PYTHON", "ROWHOUSE", "LD_"))]


@pytest.mark.parametrize("keys, name", [("asgi: site.py, factory: true", "site.py"), ("app: 'made:create_app', factory: true", "made.py")])
def test_a_factory_makes_the_app(host, keys, name):
    tenant = host.add_tenant("acme")
    tenant.put(name, FACTORY)
    assert answer_of(host, tenant, keys) == b"made"


@pytest.mark.parametrize("path", ["/etc/app.wsgi", "../other/app.wsgi", "blog/../../app.wsgi"])
def test_a_script_outside_the_home_is_refused(host, path):
    tenant = host.add_tenant("acme")
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], wsgi: '{path}' }}\n")
    host.start()
    told = wait_until(lambda: out if '"wsgi"' in (out := host.cli("status", "--json").out.replace("\\", "")) else None,
                      PATIENCE_S, "the refusal")
    assert "rowhouse.yaml" in told and path in told, told
