"""Who may see and do what: SO_PEERCRED decides, and what one may not see does not exist."""
import pytest
from control_driver import ACME_UID, GLOBEX_UID, STRANGER_UID, TENANT_GONE

CALLS = [("GET", "/v1/status?tenant={}"), ("GET", "/v1/status?tenant={}&app=shop"), ("GET", "/v1/apps/{}/shop/logs"),
         ("POST", "/v1/apps/{}/shop/start"), ("POST", "/v1/apps/{}/shop/stop"), ("POST", "/v1/apps/{}/shop/restart"),
         ("GET", "/v1/apps/{}/shop/logs?follow=1"), ("GET", "/v1/apps/{}/shop/explain"),
         ("GET", "/v1/events?tenant={}"), ("GET", "/v1/events?tenant={}&app=shop&follow=1")]


def test_a_tenant_sees_its_own_apps_and_an_admin_all(control, site, shop):
    def names(uid):
        return [a["app"] for a in control.ask("GET", "/v1/status", uid=uid).json["apps"]]

    assert names(0) == ["site", "shop"]
    assert names(ACME_UID) == ["site"]
    assert names(GLOBEX_UID) == ["shop"]


@pytest.mark.parametrize("method, target", CALLS)
def test_a_foreign_app_is_exactly_as_absent_as_one_that_does_not_exist(control, site, shop, method, target):
    foreign = control.ask(method, target.format("globex"), uid=ACME_UID)
    absent = control.ask(method, target.format("nobody"), uid=ACME_UID)
    assert foreign.status == absent.status == 404
    assert foreign.body.replace(b"globex", b"nobody") == absent.body
    assert control.commands == []


@pytest.mark.parametrize("method, target", CALLS + [("GET", "/v1/info"), ("GET", "/v1/status"), ("GET", "/nothing"),
                                                     ("DELETE", "/v1/status"), ("GET", "/%zz")])
def test_a_stranger_gets_403_for_everything(control, site, shop, method, target):
    answer = control.ask(method, target.format("globex"), uid=STRANGER_UID)
    assert answer.status == 403 and answer.error["code"] == "forbidden"
    assert control.commands == []


def test_a_tenant_drives_its_own_app(control, site, shop):
    assert control.ask("POST", "/v1/apps/acme/site/restart", uid=ACME_UID).status == 200
    assert control.commands == [(site.number, 2)]


def test_a_tenant_that_left_the_registry_loses_its_role(control, site):
    control.add_tenant("acme", TENANT_GONE)
    control.settle()
    assert control.ask("GET", "/v1/status", uid=ACME_UID).status == 403


def test_a_changed_uid_changes_who_is_the_tenant(control, site):
    control.add_tenant("acme", STRANGER_UID)
    control.settle()
    assert control.ask("GET", "/v1/status", uid=ACME_UID).status == 403
    assert [a["app"] for a in control.ask("GET", "/v1/status", uid=STRANGER_UID).json["apps"]] == ["site"]


def test_the_cli_tells_roles_apart_by_its_exit_code(control, site, shop):
    assert control.cli("status", uid=ACME_UID).returncode == 0
    assert control.cli("status", "globex/shop", uid=ACME_UID).returncode == 3
    assert control.cli("status", uid=STRANGER_UID).returncode == 4
    assert control.cli("restart", "acme/site", uid=STRANGER_UID).returncode == 4


def test_an_address_that_claims_to_be_root_changes_nothing(control, site):
    import os
    import socket
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setresuid(STRANGER_UID, STRANGER_UID, STRANGER_UID)
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.bind(f"\0x;uid=0;{os.getpid()}")
            client.connect(str(control.socket_path))
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Uid: 0\r\n\r\n")
            code = 0 if b" 403 " in client.recv(4096) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
