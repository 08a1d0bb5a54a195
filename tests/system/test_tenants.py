"""Tenants through the API: created, read, changed, suspended and removed, by administrators alone."""
import json
import os
import pathlib
import subprocess

import api_client
import pytest
import yaml
from panel import api, api_as, file_of, new_tenant, staged_files, start_acme
from rowhouse_host import APPS
from supervisors import end_supervisor, workers


@pytest.fixture
def acme(host):
    return start_acme(host)


def test_a_tenant_is_created_served_and_removed_without_a_trace(host, acme):
    tenant, body = new_tenant(host, "globex")
    created = api(host, "PUT", "/v1/tenants/globex", body)
    assert (created.status, created.body["outcome"], created.body["created"]) == (201, "done", True), created
    assert created.body["tenants"] == [{"tenant": "globex", "change": "tenant_added"}]
    # Acknowledged is in force, and on disk as configuration management would have written it.
    found = api(host, "GET", "/v1/tenants/globex").body["tenant"]
    assert found == {"tenant": "globex", "user": "globex", "uid": tenant.uid, "gid": tenant.uid, "home": str(tenant.home),
                     "plan": "test", "manifest": "rowhouse.yaml", "network": "host", "suspended": None,
                     "leaving": False, "domains_total": 1, "domains": ["globex.test"]}
    path = file_of(host, "globex")
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_uid == 0
    assert yaml.safe_load(path.read_text())["domains"] == ["globex.test"]
    tenant.copy(APPS / "probe", "probe")
    host.set_probe(tenant)
    assert api(host, "POST", "/v1/tenants/globex/reload").status == 200
    host.wait_running("globex/site")
    assert host.http("globex.test").text == "hello"
    pids = workers(host, "globex/site")
    logs = host.directory / "logs" / "apps"
    assert (logs / "globex").exists() and (logs / "_history" / "globex").exists()
    # Removed is gone: no process, no file, and with purge no log and no history.
    removed = api(host, "DELETE", "/v1/tenants/globex?purge=1")
    assert (removed.status, removed.body) == (200, {"outcome": "done", "purged": True}), removed
    assert all(not os.path.exists(f"/proc/{pid}") for pid in pids)
    assert not path.exists() and not (logs / "globex").exists() and not (logs / "_history" / "globex").exists()
    assert api(host, "GET", "/v1/tenants/globex").status == 404
    assert api(host, "DELETE", "/v1/tenants/globex").status == 404
    events = api(host, "GET", "/v1/events?limit=1000").body["events"]
    assert not [e for e in events if e.get("tenant") == "globex"]
    assert [(e["name"], e["uid"], e["purged"]) for e in events if e["type"] == "tenant_removed"] == [("globex", 0, True)]
    assert tenant.home.exists() and staged_files(host) == []
    assert host.http("acme.test").text == "hello"


def test_the_same_put_again_writes_nothing(host, acme):
    _, body = new_tenant(host, "globex")
    assert api(host, "PUT", "/v1/tenants/globex", body).status == 201
    before = file_of(host, "globex").stat()
    again = api(host, "PUT", "/v1/tenants/globex", body)
    assert (again.status, again.body) == (200, {"outcome": "done", "created": False, "changes": [], "tenants": []})
    after = file_of(host, "globex").stat()
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)


def test_a_change_of_plan_is_live_and_says_what_is(host, acme):
    pids = workers(host)
    changed = api(host, "PATCH", "/v1/tenants/acme", {"plan": "large"})
    assert changed.status == 200, changed
    effects = {c["key"]: c["effect"] for c in changed.body["changes"]}
    assert effects["plan"] == "applied_live" and effects["memory"] == "applied_live", effects
    assert effects["workers"] == "needs_restart", effects
    assert all(c["tenant"] == "acme" for c in changed.body["changes"])
    status = json.loads(host.cli("status", "acme", "--json").out)
    assert [(t["plan"], t["usage"]["memory"]["limit_bytes"]) for t in status["tenants"]] == [("large", 2 << 30)]
    assert workers(host) == pids and host.http("acme.test").text == "hello"
    text = yaml.safe_load(file_of(host, "acme").read_text())
    assert text["plan"] == "large" and text["domains"] == ["acme.test"] and text["uid"] == acme.uid


def test_suspension_by_the_api_holds_and_what_ran_comes_back(host, acme):
    pids = workers(host)
    assert api(host, "POST", "/v1/tenants/acme/suspend", {"reason": "unpaid: it's \"May\" #1"}).status == 200
    # Acknowledged is refused already.
    assert (host.http("acme.test").status, host.http("acme.test").cause) == (503, "RH-SUSPENDED")
    status = host.wait_status("acme/site", lambda s: s["state"] == "suspended" and not s["workers"])
    assert status["suspended"] == {"reason": "unpaid: it's \"May\" #1"}
    assert all(not os.path.exists(f"/proc/{pid}") for pid in pids)
    # A renewal by the panel lifts nothing, and the tenant itself cannot.
    body = {"uid": acme.uid, "gid": acme.uid, "home": str(acme.home), "plan": "large", "domains": ["acme.test"]}
    assert api(host, "PUT", "/v1/tenants/acme", body).status == 200
    assert host.http("acme.test").status == 503
    assert api_as(host, acme.uid, "POST", "/v1/tenants/acme/unsuspend").status == 403
    end_supervisor(host)
    assert host.http("acme.test").status == 503
    assert api(host, "POST", "/v1/tenants/acme/unsuspend").status == 200
    host.wait_running("acme/site")
    assert host.http("acme.test").text == "hello"
    assert "suspended" not in yaml.safe_load(file_of(host, "acme").read_text())


REFUSED = [
    ({"plan": "nothing"}, 422, "/plan", "does not exist"),
    ({"uid": 0}, 400, "/uid", "1 to"),
    ({"uid": 998}, 422, "/uid", "below uids.min"),
    ({"gid": 42}, 422, "/gid", ""),
    ({"home": "relative"}, 422, "/home", "absolute"),
    ({"home": "/srv/../etc"}, 422, "/home", "absolute"),
    ({"home": "/srv/x\nplan: large"}, 422, "/home", "one line"),
    ({"home": "/srv//x"}, 422, "/home", ""),
    ({"manifest": "../x.yaml"}, 422, "/manifest", "below the home"),
    ({"domains": ["ok.test", "NOT.test"]}, 422, "/domains/1", "host name"),
    ({"domains": ["acme.test"]}, 422, "/domains/0", "belongs to tenant acme"),
    ({"domains": ["a.test", "a.test"]}, 400, "/domains/1", "twice"),
    ({"domains": "a.test"}, 400, "/domains", "list"),
    ({"domains": [1]}, 400, "/domains/0", "string"),
    ({"plan": None}, 400, "/plan", "string"),
    ({"uid": 1.0}, 400, "/uid", "whole"),
    ({"uid": "2001"}, 400, "/uid", "whole"),
    ({"uid": 2 ** 32}, 400, "/uid", "1 to"),
    ({"uid": -1}, 400, "/uid", "whole"),
    ({"suspended": False}, 400, "/suspended", "unknown field"),
    ({"user": "root"}, 422, "/user", "together"),
    ({"manifest": "a" * 1024}, 400, "/manifest", "1 to 1023"),
]


def test_what_cannot_be_changes_nothing_and_the_answer_names_the_field(host, acme):
    tenant, body = new_tenant(host, "globex")
    for change, status, pointer, words in REFUSED:
        for query in ("", "?dry_run=1"):
            refused = api(host, "PUT", f"/v1/tenants/globex{query}", {**body, **change})
            assert refused.status == status, (change, refused)
            assert refused.error.get("pointer") == pointer, (change, refused)
            assert words in refused.error["message"], (change, refused)
    missing = api(host, "PUT", "/v1/tenants/globex", {"plan": "test"})
    assert (missing.status, missing.error["pointer"]) == (422, "/uid"), missing
    taken = api(host, "PUT", "/v1/tenants/globex", {**body, "uid": acme.uid, "gid": acme.uid})
    assert (taken.status, taken.error["pointer"]) == (422, "/uid") and "belongs to tenant acme" in taken.error["message"]
    unknown_user = {"user": "nobody-has-this-name", "plan": "test"}
    refused = api(host, "PUT", "/v1/tenants/globex", unknown_user)
    assert (refused.status, refused.error["pointer"]) == (422, "/user"), refused
    named_root = api(host, "PUT", "/v1/tenants/globex", {"user": "root", "plan": "test"})
    assert (named_root.status, named_root.error["pointer"]) == (422, "/user"), named_root
    bad_json = (b'{"plan": "test", "plan": "large"}', b'{"plan": "test"} x', b"[]", b"\xef\xbb\xbf{}", b'{"plan": "a\\u0000"}',
                b'{"uid": 1e3}', b"[" * 50, b'{"uid": 99999999999999999999999}')
    for text in bad_json:
        refused = api_client.call(host.socket_path, "PUT", "/v1/tenants/globex", text)
        assert (refused.status, refused.error["code"]) == (400, "bad_request"), (text, refused)
    kept = api(host, "PATCH", "/v1/tenants/acme", {"uid": tenant.uid})
    assert (kept.status, kept.error["pointer"]) == (400, "/uid"), kept
    assert api(host, "PATCH", "/v1/tenants/globex", {"plan": "test"}).status == 404
    assert api(host, "POST", "/v1/tenants/globex/suspend").status == 404
    for name in ("Globex", "-x", "a" * 64, "..", "_gateway"):
        assert api(host, "PUT", f"/v1/tenants/{name}", body).status == 404, name
    wrong = api(host, "POST", "/v1/tenants/acme")
    assert wrong.status == 405
    assert [p.name for p in (host.directory / "tenants.d").iterdir()] == ["acme.yaml"]
    assert host.http("acme.test").text == "hello"


def test_a_dry_run_checks_and_writes_nothing(host, acme):
    _, body = new_tenant(host, "globex")
    tried = api(host, "PUT", "/v1/tenants/globex?dry_run=1", body)
    assert (tried.status, tried.body["created"], tried.body["dry_run"]) == (200, True, True), tried
    assert api(host, "GET", "/v1/tenants/globex").status == 404 and not file_of(host, "globex").exists()
    before = file_of(host, "acme").read_text()
    assert api(host, "POST", "/v1/tenants/acme/suspend?dry_run=1").status == 200
    assert file_of(host, "acme").read_text() == before and host.http("acme.test").status == 200


def test_a_tenant_reads_itself_and_writes_nothing(host, acme):
    tenant, body = new_tenant(host, "globex")
    assert api(host, "PUT", "/v1/tenants/globex", body).status == 201
    assert api_as(host, acme.uid, "GET", "/v1/tenants/acme").body["tenant"]["tenant"] == "acme"
    listed = api_as(host, acme.uid, "GET", "/v1/tenants").body
    assert [t["tenant"] for t in listed["tenants"]] == ["acme"] and listed["next"] is None
    for method, path in (("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/suspend"), ("POST", "/unsuspend")):
        own = api_as(host, acme.uid, method, f"/v1/tenants/acme{path}", body if method == "PUT" else None)
        assert own.status == 403, (method, path, own)
        foreign = api_as(host, acme.uid, method, f"/v1/tenants/globex{path}", body if method == "PUT" else None)
        absent = api_as(host, acme.uid, method, f"/v1/tenants/nobody{path}", body if method == "PUT" else None)
        assert (foreign.status, absent.status) == (404, 404), (method, path)
        assert json.dumps(foreign.body).replace("globex", "nobody") == json.dumps(absent.body)
    assert api_as(host, acme.uid, "GET", "/v1/tenants/globex").status == 404
    stranger = api_as(host, host.uids[-1] + 7, "GET", "/v1/tenants")
    assert stranger.status == 403


def test_pages_have_every_tenant_once(host, acme):
    names = ["acme"]
    for i in range(7):
        _, body = new_tenant(host, f"t{i}")
        assert api(host, "PUT", f"/v1/tenants/t{i}", body).status == 201
        names.append(f"t{i}")
    seen, after = [], ""
    while after is not None:
        page = api(host, "GET", f"/v1/tenants?limit=3{'&after=' + after if after else ''}").body
        assert len(page["tenants"]) <= 3
        seen += [t["tenant"] for t in page["tenants"]]
        after = page["next"]
    assert seen == names
    assert api(host, "GET", "/v1/tenants?limit=0").status == 400 and api(host, "GET", "/v1/tenants?limit=257").status == 400


def test_a_file_that_was_changed_by_hand_is_merged_or_told(host, acme):
    path = file_of(host, "acme")
    path.write_text(path.read_text().replace("domains: [acme.test]", "domains: [acme.test, more.test]"))
    # At once, before anybody has noticed: what stands in the file is kept.
    assert api(host, "PATCH", "/v1/tenants/acme", {"plan": "large"}).status == 200
    assert yaml.safe_load(path.read_text())["domains"] == ["acme.test", "more.test"]
    path.write_text("plan: [broken\n")
    refused = api(host, "PATCH", "/v1/tenants/acme", {"plan": "test"})
    assert (refused.status, refused.error["code"]) == (409, "conflict"), refused
    assert path.read_text() == "plan: [broken\n"
    body = {"uid": acme.uid, "gid": acme.uid, "home": str(acme.home), "plan": "test", "domains": ["acme.test"]}
    assert api(host, "PUT", "/v1/tenants/acme", body).status == 200
    assert host.http("acme.test").text == "hello"


def test_many_domains_and_the_cap(host, acme):
    _, body = new_tenant(host, "globex")
    body["domains"] = [f"d{i}.globex.test" for i in range(1500)] + ["one.too.many.test"]
    refused = api(host, "PUT", "/v1/tenants/globex", body)
    assert (refused.status, refused.error["pointer"]) == (400, "/domains"), refused
    body["domains"] = ["*.globex.test"] + body["domains"][:1499]
    assert api(host, "PUT", "/v1/tenants/globex", body).status == 201
    assert api(host, "GET", "/v1/tenants/globex").body["tenant"]["domains"] == body["domains"]


def test_the_command_does_what_the_api_does(host, acme):
    tenant, _ = new_tenant(host, "globex")
    made = host.cli("tenant", "create", "globex", "--uid", tenant.uid, "--gid", tenant.uid, "--home", tenant.home, "--plan",
                    "test", "--domain", "globex.test", "--domain", "*.globex.test")
    assert made.code == 0 and "globex: added" in made.out and "globex is in force." in made.out, made
    assert "*.globex.test" in host.cli("tenant", "show", "globex").out
    listed = host.cli("tenant", "list")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["TENANT", "acme", "globex"], listed
    assert [t["tenant"] for t in host.cli("tenant", "list", "--json").json["tenants"]] == ["acme", "globex"]
    changed = host.cli("tenant", "set", "acme", "--plan", "large")
    assert changed.code == 0 and "plan large, tenant acme, memory: in force" in changed.out, changed
    refused = host.cli("tenant", "set", "acme", "--plan", "nothing")
    assert refused.code == 1 and "does not exist" in refused.err, refused
    assert host.cli("tenant", "suspend", "acme", "--reason", "unpaid").code == 0
    assert "suspended: unpaid" in host.cli("tenant", "list").out
    assert host.cli("tenant", "unsuspend", "acme").code == 0
    assert host.cli("tenant", "set", "acme", "--plan", "test", uid=acme.uid).code == 4
    assert host.cli("tenant", "set", "globex", "--plan", "test", uid=acme.uid).code == 3
    assert host.cli("tenant", "show").code == 2 and host.cli("tenant", "paint", "acme").code == 2
    begun = host.cli("tenant", "remove", "globex", "--no-wait", "--json")
    op = begun.json["op"]["id"]
    assert host.cli("op", op, "--wait").code == 0 and host.cli("op", op, "--json").json["op"]["state"] == "done"
    assert host.cli("tenant", "show", "globex").code == 3 and host.cli("op", "0-0").code == 3
    new = host.directory / "new.yaml"
    new.write_text((acme.home / "rowhouse.yaml").read_text() + "# by apply\n")
    new.chmod(0o644)
    assert host.cli("apply", "acme", new, "--dry-run", uid=acme.uid).code == 0
    assert "# by apply" not in (acme.home / "rowhouse.yaml").read_text()
    assert host.cli("apply", "acme", new, uid=acme.uid).code == 0
    assert (acme.home / "rowhouse.yaml").read_text().endswith("# by apply\n")


def test_no_field_is_ever_a_command_or_a_second_line(host, acme):
    _, body = new_tenant(host, "globex")
    for poison in ("$(touch /tmp/rowhouse-canary)", "`touch /tmp/rowhouse-canary`", "; touch /tmp/rowhouse-canary", "a\nuid: 0",
                   "a' \nuid: 0", "'", "{uid: 0}", "*x", "&x", "!!python/object:x", "\u2028", "\u202e", "%n"):
        for change in ({"home": f"/srv/{poison}"}, {"manifest": poison}, {"plan": poison}, {"domains": [poison]}):
            reply = api(host, "PUT", "/v1/tenants/globex?dry_run=1", {**body, **change})
            assert reply.status in (200, 400, 422), (change, reply)
            if reply.status == 200:  # a strange name of a directory or file, and nothing else
                assert "home" in change or "manifest" in change, change
        assert api(host, "POST", "/v1/tenants/acme/suspend?dry_run=1", {"reason": poison}).status in (200, 422)
    # Written for real, it comes back as it was.
    reason = "it's {uid: 0} # `x` $(y) \"z\" *a &b"
    assert api(host, "POST", "/v1/tenants/acme/suspend", {"reason": reason}).status == 200
    assert yaml.safe_load(file_of(host, "acme").read_text())["suspended"] == {"reason": reason}
    assert api(host, "POST", "/v1/tenants/acme/unsuspend").status == 200
    assert not pathlib.Path("/tmp/rowhouse-canary").exists()


def test_curl_can_do_it_as_the_guide_says(host, acme):
    done = subprocess.run(["curl", "-sS", "--unix-socket", str(host.socket_path), "-X", "PATCH",
                           "http://rowhouse/v1/tenants/acme", "-d", '{"plan": "large"}'], capture_output=True, text=True,
                          timeout=60, check=True)
    assert json.loads(done.stdout)["outcome"] == "done", done
