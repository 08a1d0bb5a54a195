"""docs/openapi.yaml is the API: every route, every answer, and whatever a fuzzer makes of its schemas."""
import json
import re

import api_client
import api_page
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

API_MD = api_page.PAGE.parent / "api.md"


@pytest.fixture(scope="module")
def acme(shared_host):
    shared_host.gateways = 1
    tenant = shared_host.add_probe("acme")
    shared_host.start("acme/site")
    return tenant


def api(host, method, path, body=None):
    return api_client.call(host.socket_path, method, path, body)


def example_of(path):
    return api_page.PREFIX + path.replace("{tenant}", "acme").replace("{app}", "site").replace(
        "{id}", "0123456789abcdef").replace("{hook}", "panel")


def test_the_page_is_valid_and_every_reference_leads_somewhere():
    for name, schema in api_page.page()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert api_page._validator(f"#/components/schemas/{name}") is not None
    for reference in re.findall(r'\$ref: "([^"]+)"', api_page.PAGE.read_text()):
        assert api_page.deref({"$ref": reference})


def test_every_operation_of_the_page_is_there_and_no_method_beside_them(shared_host, acme):
    methods = {}
    for method, _, path, _ in api_page.operations():
        methods.setdefault(path, set()).add(method)
    for path, known in methods.items():
        for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
            if method in known:
                continue
            # A parameter that nobody knows comes after the method and before anything is done.
            answer = api(shared_host, method, example_of(path) + "?no-such-parameter=1")
            assert answer.status == 405, (method, path, answer)
        for method in known:
            answer = api(shared_host, method, example_of(path) + "?no-such-parameter=1")
            assert answer.status == 400 and "no-such-parameter" in answer.error["message"], (method, path, answer)


def test_what_is_offered_and_what_the_page_has_is_explained(shared_host, acme):
    text = API_MD.read_text()
    for code in api_page.page()["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]:
        assert f"`{code}`" in text, code
    for kind in api_page.page()["components"]["schemas"]["Event"]["properties"]["type"]["enum"]:
        assert f"`{kind}`" in text, kind
    features = api(shared_host, "GET", "/v1/info").body["features"]
    assert [f for f in features if f'"{f}"' not in text] == []


def test_reads_answer_as_the_page_says(shared_host, acme):
    for path in ("/info", "/status", "/status?tenant=acme&app=site", "/events?limit=1000", "/tenants", "/tenants/acme",
                 "/apps/acme/site/explain", "/apps/acme/site/logs", "/apps/acme/site/logs?stream=access", "/errors/0123456789abcdef", "/nowhere", "/tenants/acme/nowhere",
                 "/metrics", "/usage", "/usage?tenant=acme&step=hour&period=2d", "/usage?format=csv", "/hooks"):
        api(shared_host, "GET", api_page.PREFIX + path)
    shared_host.http("acme.test", "/no-such-page-of-the-probe")
    api(shared_host, "POST", "/v1/apps/acme/site/restart")
    api(shared_host, "POST", "/v1/apps/acme/site/stacks")
    hook = {"url": "unix:/nowhere/panel.sock:/events", "types": ["died"]}
    assert api(shared_host, "PUT", "/v1/hooks/panel", hook).status == 200
    assert api(shared_host, "PUT", "/v1/hooks/panel", {"exec": ["relative"]}).error["pointer"] == "/exec"
    assert api(shared_host, "DELETE", "/v1/hooks/panel").body == {"hooks": []}
    api(shared_host, "POST", "/v1/reload")
    api(shared_host, "POST", "/v1/tenants/acme/reload")


# JSON that may be right in form, nearly right, or nothing of the kind.
LEAVES = (st.none() | st.booleans() | st.integers(-2 ** 70, 2 ** 70) | st.floats(allow_nan=False, allow_infinity=False)
          | st.text(max_size=80) | st.sampled_from(["test", "/home/x", "a.test", "*.a.test", "acme", "rowhouse.yaml"]))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
                      max_leaves=12)
FIELDS = st.sampled_from(["url", "exec", "types", "tenants", "user", "uid", "gid", "home", "plan", "domains", "manifest", "reason", "suspended", "x", ""])
BODIES = st.dictionaries(FIELDS, VALUES, max_size=7) | VALUES
NAMES = st.sampled_from(["acme", "site", "globex", "-", "..", "%2e%2e", "%00", "a" * 64, "_gateway", "Acme", "%", ""]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
QUERIES = st.sampled_from(["", "?dry_run=1", "?dry_run=2", "?wait=0", "?wait=", "?purge=1&purge=1", "?limit=0", "?a=%ff", "?dry_run", "?&"])


def fuzz(count):
    return settings(max_examples=count, deadline=None, database=None, derandomize=True,
                    suppress_health_check=list(HealthCheck))


def assert_no_crash(host, reply):
    assert reply.status < 500, reply
    assert "control died" not in host.log and "control lost" not in host.log, host.log[-2000:]


@fuzz(200)
@given(body=BODIES)
def test_no_body_of_a_hook_is_answered_with_a_5xx(shared_host, acme, body):
    assert_no_crash(shared_host, api(shared_host, "PUT", "/v1/hooks/fuzzed", json.dumps(body).encode()))
    api(shared_host, "DELETE", "/v1/hooks/fuzzed")


@fuzz(300)
@given(body=BODIES, query=st.sampled_from(["?dry_run=1", "?dry_run=1&wait=1"]))
def test_no_body_of_a_tenant_is_answered_with_a_5xx(shared_host, acme, body, query):
    for method, path in (("PUT", "/tenants/fuzzed"), ("PATCH", "/tenants/acme"), ("POST", "/tenants/acme/suspend")):
        assert_no_crash(shared_host, api(shared_host, method, f"/v1{path}{query}", json.dumps(body).encode()))


@fuzz(300)
@given(text=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_no_bytes_in_the_place_of_json_or_yaml_are_answered_with_a_5xx(shared_host, acme, text):
    for method, path in (("PUT", "/tenants/fuzzed"), ("PATCH", "/tenants/acme"), ("PUT", "/tenants/acme/manifest")):
        assert_no_crash(shared_host, api(shared_host, method, f"/v1{path}?dry_run=1", text))


@fuzz(300)
@given(operation=st.sampled_from(sorted({path for _, _, path, _ in api_page.operations()} - {"/upgrade", "/reload"})),
       method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST"]), names=st.tuples(NAMES, NAMES), query=QUERIES)
def test_no_target_is_answered_with_a_5xx(shared_host, acme, operation, method, names, query):
    path = operation.replace("{tenant}", names[0]).replace("{app}", names[1]).replace("{id}", names[0])
    reading = method == "GET" or "acme" not in names
    if not reading or any(c in path for c in "#? "):
        return
    assert_no_crash(shared_host, api(shared_host, method, f"/v1{path}{query}"))


def test_after_all_that_everything_is_as_it_was(shared_host, acme):
    assert [t["tenant"] for t in api(shared_host, "GET", "/v1/tenants").body["tenants"]] == ["acme"]
    assert shared_host.http("acme.test").text == "hello" and shared_host.status("acme/site")["suspended"] is None
    assert sorted(p.name for p in (shared_host.directory / "tenants.d").iterdir()) == ["acme.yaml"]
