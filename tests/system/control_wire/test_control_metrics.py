"""Metrics and usage of rowhouse-control alone: many tenants, and readings that begin anew."""
import os
import pathlib

import pytest
from control_driver import ACME_UID, App, wait_until
from prometheus import Metrics, promtool_complaints, timed

MANY = int(os.environ.get("ROWHOUSE_METRICS_TENANTS", "2000"))
LONGEST_S = 1.0  # of control's own processor time: what else runs on this machine must not decide


def processor_seconds(control):
    fields = pathlib.Path(f"/proc/{control.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def requests_of(control, uid=0):
    return Metrics(control.ask("GET", "/v1/metrics", uid=uid).body.decode()).sum("rowhouse_app_requests_total")


def test_many_tenants_are_scraped_in_time(control):
    for number in range(MANY):
        control.apps.append(App(number + 1, f"tenant-{number}", "site", traffic=(1, 0, 0, [number % 7 + 1] * 53),
                                workers=[(1, 1, 4242, 2, 12, 34567890)]))
        control.add_tenant(f"tenant-{number}", 2_000_000 + number)
    wait_until(lambda: control.ask("GET", "/v1/metrics").body.count(b"rowhouse_app_state{") == MANY,
               "all are sampled", 120)
    before = processor_seconds(control)
    answer, seconds = timed(lambda: control.ask("GET", "/v1/metrics"))
    used = processor_seconds(control) - before
    print(f"{MANY} tenants: {len(answer.body) / 1e6:.1f} MB in {seconds:.3f} s, of which control computed {used:.2f} s")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert used < LONGEST_S
    metrics = Metrics(answer.body.decode())
    assert metrics.sum("rowhouse_app_requests_total") == sum(6 * (number % 7 + 1) for number in range(MANY))
    if MANY <= 2000:
        assert promtool_complaints(answer.body.decode()) == ""


def test_counts_of_another_epoch_are_added_and_those_of_the_same_are_not_counted_twice(control, site):
    site.traffic = (1, 0, 0, [10] * 53)
    wait_until(lambda: requests_of(control) == 60, "the first epoch", 40)
    site.traffic = (2, 0, 0, [3] * 53)
    wait_until(lambda: requests_of(control) == 78, "the second", 40)
    control.send_traffic(site, 0, (2, 0, 0, [4] * 53))
    control.settle()
    assert requests_of(control) == 84


@pytest.mark.parametrize("target, words", [
    ("/v1/usage?period=2026-13", "period must be"), ("/v1/usage?from=2026-10-01", "from and to"),
    ("/v1/usage?from=2026-10-02&to=2026-10-01", "from and to"), ("/v1/usage?step=week", "step must be"),
    ("/v1/usage?period=24h&from=2026-10-01&to=2026-10-02", "exclude each other"),
    ("/v1/usage?format=xml", "format must be"), ("/v1/metrics?x=1", "Unknown query parameter")])
def test_what_is_not_exactly_right_is_refused(control, target, words):
    answer = control.ask("GET", target)
    assert answer.status == 400 and words in answer.error["message"]


def test_usage_of_another_tenant_does_not_exist(control):
    assert control.ask("GET", "/v1/usage?tenant=globex", uid=ACME_UID).status == 404
    assert control.ask("GET", "/v1/usage?tenant=nobody", uid=ACME_UID).status == 404
    assert list(control.ask("GET", "/v1/usage", uid=ACME_UID).json["tenants"]) == ["acme"]
    assert set(control.ask("GET", "/v1/usage").json["tenants"]) == {"acme", "globex"}
