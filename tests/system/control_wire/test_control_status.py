"""The status call: its fields, its pages, and why the last worker died."""
import os

import pytest
from control_driver import ACME_UID, BACKOFF, CONFIG, EXIT, IMPORT, SECCOMP, SIGNAL, SPAWN, STOPPED, App, wait_until


def entry(control, uid=0):
    answer = control.ask("GET", "/v1/status?tenant=acme&app=site", uid=uid)
    assert answer.status == 200, answer.body
    [app] = answer.json["apps"]
    return app


def test_status_has_the_fields_that_were_promised(control, site):
    site.restarts, site.missing = 3, 0b101
    app = entry(control)
    assert app["tenant"] == "acme" and app["app"] == "site"
    assert app["state"] == "running" and app["generation"] == 1 and app["restarts"] == 3
    assert app["workers"] == [{"worker": 1, "generation": 1, "pid": 4242, "state": "ready", "requests": 12,
                               "memory_bytes": 34567890}]
    assert app["last_exit"] is None and app["retry_in_ms"] == 0
    assert app["sandbox"] == {"missing": ["landlock", "private-network"]}


def test_stopped_apps_are_listed(control, site):
    site.state, site.workers = STOPPED, []
    assert entry(control)["state"] == "stopped" and entry(control)["workers"] == []


def test_more_apps_than_one_page_are_all_listed_in_order_of_their_names(control):
    control.apps += [App(number, "acme", f"app-{100 - number}") for number in range(1, 51)]
    apps = control.ask("GET", "/v1/status").json["apps"]
    assert [a["app"] for a in apps] == sorted(f"app-{100 - n}" for n in range(1, 51))


@pytest.mark.parametrize("cause, argument, code, detail", [
    (SIGNAL, 9, "RH-SIGNAL", "SIGKILL"), (SIGNAL, 11, "RH-SIGNAL", "SIGSEGV"), (EXIT, 3, "RH-EXIT", "3"),
    (SECCOMP, 101, "RH-SECCOMP", "ptrace"), (SPAWN, 13, "RH-SPAWN", "capabilities"), (SPAWN, 0, "RH-SPAWN", "launch"),
    (IMPORT, 5, "RH-IMPORT", "import module"), (3, 0, "RH-OOM", "")])
def test_the_last_exit_has_its_code_its_detail_and_its_time(control, site, cause, argument, code, detail):
    site.exit = (cause, argument, 1_700_000_000_042, 1, 1)
    last = entry(control)["last_exit"]
    assert (last["code"], last["detail"], last["at"]) == (code, detail, "2023-11-14T22:13:20.042Z")
    assert last["message"].endswith(".")


def test_a_failed_import_carries_the_workers_last_line_even_if_it_is_still_in_the_pipe(control, site):
    pipe = control.log_pipe(site, worker=5)
    control.settle()
    # The death is told while the last words may still be unread.
    os.write(pipe, b"Traceback ...\nModuleNotFoundError: No module named 'blog'")
    site.exit = (IMPORT, 5, 1_700_000_000_042, 1, 5)
    control.death(site, IMPORT, 5, worker=5)
    assert entry(control)["last_exit"]["detail"] == "import module: ModuleNotFoundError: No module named 'blog'"
    os.close(pipe)
    wait_until(lambda: "worker 5 died: RH-IMPORT import module: ModuleNotFound" in control.log_text(site), "the death")
    # And after the pipe has gone.
    assert entry(control)["last_exit"]["detail"].endswith("'blog'")


def test_the_last_words_of_another_worker_explain_nothing(control, site):
    pipe = control.log_pipe(site, worker=6)
    os.write(pipe, b"unrelated\n")
    site.exit = (IMPORT, 5, 1_700_000_000_042, 1, 5)
    control.settle()
    assert entry(control)["last_exit"]["detail"] == "import module"
    os.close(pipe)


def test_backoff_tells_when_the_next_start_is(control, site):
    site.state, site.retry_in_ms = BACKOFF, 28_000
    assert entry(control)["retry_in_ms"] == 28_000 and entry(control)["state"] == "backoff"


def test_problems_are_shown_line_by_line_and_go_when_they_are_resolved(control, site):
    control.problem("acme", b"rowhouse.yaml:3:5: unknown key\nrowhouse.yaml:4:1: \x1b]0;x\x07 bad\n")
    control.settle()
    errors = control.ask("GET", "/v1/status", uid=ACME_UID).json["errors"]
    assert errors == [{"tenant": "acme", "message": "rowhouse.yaml:3:5: unknown key"},
                      {"tenant": "acme", "message": "rowhouse.yaml:4:1: \\x1b]0;x\\x07 bad"}]
    control.problem("acme", b"", resolved=True)
    control.settle()
    assert control.ask("GET", "/v1/status").json["errors"] == []


def test_a_problem_of_a_tenant_that_never_loaded_is_shown_to_admins(control):
    control.problem("broken", b"broken.yaml:1:1: unknown key\n")
    control.settle()
    assert [e["tenant"] for e in control.ask("GET", "/v1/status").json["errors"]] == ["broken"]
    assert control.ask("GET", "/v1/status?tenant=broken").status == 200
    assert control.ask("GET", "/v1/status", uid=ACME_UID).json["errors"] == []


def test_what_is_not_there_is_404(control, site):
    for target in ("/v1/status?tenant=none", "/v1/status?tenant=acme&app=none", "/v1/status?tenant=Acme",
                   "/v1/status?tenant=acme&app=..", "/v1/none", "/v2/status", "/"):
        assert control.ask("GET", target).status == 404, target


def test_a_supervisor_that_does_not_answer_is_503_in_time(control, site):
    control.silent = True
    client = control.client(timeout=30)
    assert client.ask("GET", "/v1/status").status == 503
    client.close()


def test_a_failed_command_tells_the_refused_configuration(control, site):
    control.problem("acme", b"rowhouse.yaml:3:5: unknown key \"therads\"\n")
    control.on_command = lambda app, kind: (2, 0, 0, CONFIG, 0)
    answer = control.ask("POST", "/v1/apps/acme/site/restart")
    assert answer.status == 422
    assert answer.error["detail"] == "RH-CONFIG rowhouse.yaml:3:5: unknown key \"therads\""
