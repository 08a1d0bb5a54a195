"""A mistake in one file is one clear sentence where its owner looks, and nobody else notices."""
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import BUILD


@pytest.fixture
def globex(host):
    """The neighbour that must not notice."""
    return host.add_probe("globex")


def neighbour_is_well(host):
    return host.http("globex.test").status == 200


def problems_of(host, tenant, uid=0):
    """The sentences about a tenant in `status --json`."""
    answer = host.cli("status", "--json", uid=uid)
    assert answer.code == 0, answer
    return [error for error in answer.json.get("errors", []) if tenant in str(error)]


def sentence(host, tenant, *words):
    """Waits for a sentence with all the words, for root and for the tenant's own uid."""
    def ask():
        return [str(e) for e in problems_of(host, tenant.name) if all(word in str(e) for word in words)]

    found = wait_until(ask, 15, lambda: f"no sentence with {words}: {host.cli('status', '--json').out}\n{host.log}")
    assert [e for e in problems_of(host, tenant.name, tenant.uid) if words[0] in str(e)]
    return found[0]


# --- the tenant's file, written by the operator ---------------------------------------------------------------
def test_a_typo_in_a_tenant_file_names_file_line_and_the_right_word(host, globex):
    acme = host.add_probe("acme")
    host.register(acme, f"uid: {acme.uid}\ngid: {acme.uid}\nhome: {acme.home}\nplna: test\ndomains: [acme.test]\n")
    host.start("globex/site")
    said = [str(e) for e in wait_until(lambda: problems_of(host, "acme"), 15, host.log)]
    assert any("acme.yaml:4:1: " in s and "plna" in s and "plan" in s for s in said), said
    assert neighbour_is_well(host)


def test_an_unknown_plan_is_named(host, globex):
    acme = host.add_probe("acme")
    host.register(acme, f"uid: {acme.uid}\ngid: {acme.uid}\nhome: {acme.home}\nplan: platinum\n"
                        "domains: [acme.test]\nmanifest: rowhouse.yaml\n")
    host.start("globex/site")
    said = [str(e) for e in wait_until(lambda: problems_of(host, "acme"), 15, host.log)]
    assert any("platinum" in s for s in said), said
    assert neighbour_is_well(host)


def test_a_uid_below_the_minimum_is_refused_and_nothing_runs_under_it(host, globex):
    import pwd

    import processes
    taken = {user.pw_uid for user in pwd.getpwall()}
    low = next(uid for uid in range(999, 100, -1) if uid not in taken)
    acme = host.add_probe("acme")
    host.register(acme, f"uid: {low}\ngid: {acme.uid}\nhome: {acme.home}\nplan: test\ndomains: [acme.test]\n")
    host.start("globex/site")
    said = [str(e) for e in wait_until(lambda: problems_of(host, "acme"), 15, host.log)]
    assert any(str(low) in s and "1000" in s for s in said), said
    assert not processes.processes_of_uids([acme.uid])
    assert neighbour_is_well(host)


@pytest.mark.parametrize("uid", [0, 65534])
def test_root_and_nobody_are_never_tenants(host, globex, uid):
    acme = host.add_probe("acme")
    host.register(acme, f"uid: {uid}\ngid: {acme.uid}\nhome: {acme.home}\nplan: test\ndomains: [acme.test]\n")
    host.start("globex/site")
    assert wait_until(lambda: problems_of(host, "acme"), 15, host.log)
    assert neighbour_is_well(host)


def test_two_tenants_with_one_uid_are_refused_the_second_time(host, globex):
    acme = host.add_probe("acme")
    zeta = host.add_tenant("zeta")
    host.register(zeta, f"uid: {acme.uid}\ngid: {acme.uid}\nhome: {acme.home}\nplan: test\ndomains: [zeta.test]\n")
    host.start("globex/site")
    assert wait_until(lambda: problems_of(host, "zeta") or problems_of(host, "acme"), 15, host.log)
    assert neighbour_is_well(host)


# --- the manifest, written by the tenant ----------------------------------------------------------------------
def test_a_manifest_with_bad_yaml_names_its_place(host, globex):
    acme = host.add_tenant("acme", "apps:\n  site: { routes: [acme.test\n")
    host.start("globex/site")
    assert "rowhouse.yaml:" in sentence(host, acme, "rowhouse.yaml:")
    assert neighbour_is_well(host)


def test_a_missing_manifest_is_told(host, globex):
    acme = host.add_tenant("acme")
    host.start("globex/site")
    sentence(host, acme, "rowhouse.yaml")
    assert neighbour_is_well(host)


def test_an_unknown_key_is_refused_with_a_suggestion(host, globex):
    acme = host.add_probe("acme", therads=4)
    host.start("globex/site")
    assert "threads" in sentence(host, acme, "therads")
    assert neighbour_is_well(host)


def test_a_route_under_somebody_elses_domain_is_refused(host, globex):
    acme = host.add_probe("acme")
    host.set_probe(acme, routes="[globex.test/steal]")
    host.start("globex/site")
    sentence(host, acme, "globex.test")
    assert host.http("globex.test", "/steal").status == 404
    assert host.http("globex.test", "/steal").text == "no such probe"


def test_more_than_the_plan_allows_is_refused_or_told(host, globex):
    acme = host.add_probe("acme", workers="{ min: 5, max: 5 }")
    host.start("globex/site")
    sentence(host, acme, "workers")
    assert neighbour_is_well(host)


def test_a_manifest_that_is_a_link_a_fifo_or_huge_is_refused_without_a_word_of_its_content(host, globex):
    acme = host.add_tenant("acme")
    (acme.home / "rowhouse.yaml").symlink_to("/etc/shadow")
    host.start("globex/site")
    said = sentence(host, acme, "rowhouse.yaml")
    assert "root:" not in said and "root:" not in host.log
    assert neighbour_is_well(host)


# --- the app ----------------------------------------------------------------------------------------------------
def failed_start(host, step):
    status = host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-IMPORT", 30)
    assert step in status["last_exit"]["detail"], status
    return status


def test_a_missing_module_is_told_with_its_name_in_the_tenants_log(host, globex):
    acme = host.add_probe("acme", wsgi="nowhere.wsgi:application")
    host.start("globex/site")
    failed_start(host, "import module")
    logs = wait_until(lambda: [a for a in [host.cli("logs", "acme/site", uid=acme.uid)] if "nowhere" in a.out], 10,
                      "the log names the module")
    assert "ModuleNotFoundError" in logs[0].out
    assert neighbour_is_well(host)


def test_a_wrong_callable_is_told_with_its_name(host, globex):
    acme = host.add_probe("acme", wsgi="probe:aplication")
    host.start("globex/site")
    failed_start(host, "find callable")
    wait_until(lambda: "aplication" in host.cli("logs", "acme/site", uid=acme.uid).out, 10, "the log names it")
    assert neighbour_is_well(host)


def test_an_import_that_never_ends_is_a_start_timeout(host, globex):
    acme = host.add_probe("acme", timeouts="{ startup: 500ms }")
    acme.put("probe/probe.py", "import time\ntime.sleep(1000)\n")
    host.start("globex/site")
    host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-START-TIMEOUT", 30)
    assert neighbour_is_well(host)


def test_a_missing_directory_is_told(host, globex):
    host.add_probe("acme", directory="no-such-directory")
    host.start("globex/site")
    wait_until(lambda: "no-such-directory" in host.cli("status", "--json").out + host.cli("logs", "acme/site").out,
               20, lambda: host.cli("status", "--json").out)
    assert neighbour_is_well(host)


# --- the host's file ----------------------------------------------------------------------------------------------
def check(host):
    return subprocess.run([BUILD / "rowhoused", "--config", host.config_path, "--check"], capture_output=True,
                          text=True, timeout=30, check=False)


def test_check_accepts_a_good_configuration_and_starts_nothing(host, globex):
    host.write_config()
    done = check(host)
    assert done.returncode == 0, done.stderr
    assert not host.socket_path.exists()


@pytest.mark.parametrize("text, words", [
    ("unknown: 1\n", ["unknown"]),
    ("listen:\n  - http: nonsense\n", ["http"]),
    ("plans: { a: { memory: much } }\n", ["memory"]),
    ("{ [", [".yaml:"]),
])
def test_check_refuses_a_bad_host_file_with_its_place(host, globex, text, words):
    host.write_config()
    host.config_path.write_text(text)
    done = check(host)
    assert done.returncode == 1
    for word in [*words, "rowhouse.yaml:1:"]:
        assert word in done.stdout + done.stderr


def test_check_names_the_mistake_of_one_tenant(host, globex):
    acme = host.add_probe("acme")
    host.register(acme, "plna: test\n")
    host.write_config()
    done = check(host)
    assert done.returncode == 1
    assert "acme.yaml:1:1" in done.stdout + done.stderr


def test_rowhoused_with_a_bad_host_file_does_not_start(host, globex):
    host.write_config()
    host.config_path.write_text("nonsense: true\n")
    done = subprocess.run([BUILD / "rowhoused", "--config", host.config_path], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
