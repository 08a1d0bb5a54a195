"""`reload: touch`: a touched tmp/restart.txt or entry file is one rolling restart, noticed by the app's own steward."""
import os
import threading
import time

import pytest
from load import Load
from processes import wait_until
from rowhouse_host import PATIENCE_S
from supervisors import end_supervisor, workers


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", reload="touch")
    host.start("acme/site")
    return tenant


def touch(tenant, name="probe/tmp/restart.txt"):
    tenant.run("sh", "-c", f'mkdir -p "$(dirname {name})" && touch {name}')


def generation(host):
    return host.status("acme/site")["generation"]


def wait_generation(host, after):
    return host.wait_status("acme/site", lambda s: s["generation"] > after and s["state"] == "running", 40)


def events(host, kind):
    told = host.cli("events", "acme/site", "--json", "-n", "1000").json["events"]
    return [e for e in told if e["type"] == kind]


def test_a_touch_is_one_rolling_restart_that_fails_no_request(host, acme):
    before, pids = generation(host), workers(host)
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(20)
        touch(acme)
        wait_generation(host, before)
        load.wait_for(20)
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert not set(workers(host)) & set(pids)
    assert len(events(host, "touched")) == 1 and len(events(host, "restarting")) == 1
    # The next one is noticed by the new generation's steward.
    before = generation(host)
    touch(acme)
    wait_generation(host, before)
    assert len(events(host, "touched")) == 2


def test_what_was_changed_is_what_runs_after_a_touch(host, acme):
    before = generation(host)
    code = (acme.home / "probe/probe.py").read_text()
    (acme.home / "probe/new.py").write_text(code.replace('"hello"', '"changed"'))
    os.chown(acme.home / "probe/new.py", acme.uid, acme.uid)
    (acme.home / "probe/new.py").rename(acme.home / "probe/probe.py")
    wait_generation(host, before)
    assert host.http(acme.domain).text == "changed"


def test_a_touch_whose_restart_fails_leaves_what_serves(host, acme):
    before, pids = generation(host), workers(host)
    good = (acme.home / "probe/probe.py").read_text()
    acme.put("probe/probe.py", "import nothing_of_this_name\n")
    status = host.wait_status("acme/site", lambda s: s["state"] == "degraded", 40)
    wait_until(lambda: [e["code"] for e in events(host, "degraded")] == ["RH-IMPORT"], 10, lambda: events(host, "degraded"))
    assert status["generation"] == before and workers(host) == pids
    assert status["last_exit"]["code"] == "RH-IMPORT"
    assert host.http(acme.domain).text == "hello"
    acme.put("probe/probe.py", good)
    wait_generation(host, before)
    assert host.http(acme.domain).text == "hello"


def test_without_reload_nobody_looks(host, acme):
    host.set_probe(acme)  # without the key: another generation, whose steward looks at nothing
    before = generation(host)
    assert host.cli("reload", "acme").code == 0
    wait_generation(host, before)
    told, before = len(events(host, "touched")), generation(host)
    touch(acme)
    host.set_probe(acme, reload="touch")
    assert host.cli("reload", "acme").code == 0
    wait_generation(host, before)
    assert len(events(host, "touched")) == told


def test_a_storm_of_touches_is_few_restarts(host, acme):
    """Every file of the app, all the time, for a quarter of a minute: at most a start at once, after 5 s and after 15 s,
    and one more that is under way."""
    touch(acme)
    over = threading.Event()

    def storm():
        paths = [acme.home / "probe/tmp/restart.txt", acme.home / "probe/probe.py"]
        while not over.is_set():
            for path in paths:
                os.utime(path)

    before = generation(host)
    storming = threading.Thread(target=storm)
    storming.start()
    try:
        wait_generation(host, before)
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            assert host.http(acme.domain).text == "hello"
    finally:
        over.set()
        storming.join()
    assert 1 <= len(events(host, "touched")) <= 4
    host.wait_running("acme/site")


def test_tricks_in_the_place_of_restart_txt_restart_nothing_and_stop_nobody(host, acme):
    before = generation(host)
    acme.run("sh", "-c", "mkdir -p probe/tmp && ln -s /etc/passwd probe/tmp/restart.txt")
    acme.run("sh", "-c", "rm probe/tmp/restart.txt && mkfifo probe/tmp/restart.txt && touch probe/tmp/restart.txt")
    acme.run("sh", "-c", "rm probe/tmp/restart.txt && mkdir probe/tmp/restart.txt")
    acme.run("sh", "-c", "rmdir probe/tmp/restart.txt && rmdir probe/tmp && ln -s /etc probe/tmp")
    assert host.http(acme.domain).text == "hello"
    # The steward looks at most once a second: a touch that is a file comes after all of them.
    acme.run("sh", "-c", "rm probe/tmp")
    touch(acme)
    wait_generation(host, before)
    assert len(events(host, "touched")) == 1


def test_a_touch_while_the_supervisor_is_away_is_not_lost(host, acme):
    before = generation(host)
    touch(acme)
    end_supervisor(host)
    wait_generation(host, before)
    before = generation(host)
    end_supervisor(host)
    touch(acme)
    wait_generation(host, before)


def test_a_start_that_waits_for_its_next_try_is_tried_when_it_is_mended(host, acme):
    good = (acme.home / "probe/probe.py").read_text()
    acme.put("probe/probe.py", "import nothing_of_this_name\n")
    assert host.cli("restart", "acme/site", "--hard").code == 1
    host.wait_status("acme/site", lambda s: s["state"] == "backoff" and s["retry_in_ms"] > 1000, 60)
    acme.put("probe/probe.py", good)
    wait_until(lambda: events(host, "touched"), PATIENCE_S, "the touch is noticed")
    host.wait_running("acme/site")
