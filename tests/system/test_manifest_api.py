"""Manifests through the API: written by a loader that is the tenant."""
import pathlib

import pytest
from panel import api, api_as, start_acme
from supervisors import workers


@pytest.fixture
def acme(host):
    return start_acme(host)


def test_the_manifest_comes_through_the_api_and_belongs_to_the_tenant(host, acme):
    manifest = (acme.home / "rowhouse.yaml").read_text()
    pids = workers(host)
    second = manifest + manifest.split("apps:\n")[1].replace("site:", "shop:").replace("[acme.test]", "[acme.test/shop]")
    tried = api_as(host, acme.uid, "PUT", "/v1/tenants/acme/manifest?dry_run=1", second.encode())
    assert (tried.status, tried.body["dry_run"]) == (200, True), tried
    assert tried.body["tenants"] == [{"tenant": "acme", "app": "shop", "change": "app_added"}]
    assert (acme.home / "rowhouse.yaml").read_text() == manifest
    put = api_as(host, acme.uid, "PUT", "/v1/tenants/acme/manifest", second.encode())
    assert put.status == 200 and {"tenant": "acme", "app": "shop", "change": "app_added"} in put.body["tenants"], put
    status = (acme.home / "rowhouse.yaml").stat()
    assert (acme.home / "rowhouse.yaml").read_text() == second and status.st_uid == acme.uid
    host.wait_running("acme/shop")
    assert host.http("acme.test", "/shop/hello").text == "hello" and workers(host) == pids
    for text, words in ((b"apps: [", "rowhouse.yaml:"), (second.replace("threads", "therads").encode() + b"    therads: 4\n", "did you mean"),
                        (second.replace("acme.test/shop", "globex.test").encode(), "globex.test"), (b"", "")):
        refused = api(host, "PUT", "/v1/tenants/acme/manifest", text)
        assert (refused.status, refused.error["code"]) == (422, "refused"), (text, refused)
        assert words in refused.error["detail"], refused
        assert (acme.home / "rowhouse.yaml").read_text() == second
    assert api_as(host, acme.uid, "PUT", "/v1/tenants/globex/manifest", b"apps: {}").status == 404


def test_a_hostile_home_leads_the_writer_nowhere(host, acme):
    target = pathlib.Path(host.directory / "precious")
    target.write_text("root's")
    manifest = (acme.home / "rowhouse.yaml").read_text()
    # Beside the manifest, where it is staged.
    (acme.home / ".rowhouse.yaml.new").symlink_to(target)
    assert api(host, "PUT", "/v1/tenants/acme/manifest", manifest.encode() + b"# new\n").status == 200
    assert target.read_text() == "root's" and (acme.home / "rowhouse.yaml").read_text().endswith("# new\n")
    (acme.home / "rowhouse.yaml").unlink()
    (acme.home / "rowhouse.yaml").symlink_to(target)
    refused = api(host, "PUT", "/v1/tenants/acme/manifest", manifest.encode())
    assert refused.status == 422 and target.read_text() == "root's", refused
    (acme.home / "rowhouse.yaml").unlink()
    host.set_probe(acme)
