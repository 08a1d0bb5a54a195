"""Fixtures of the attacks: a case records what happened without and behind the walls; after each case the host
must be as it was.

A test names its case, runs the same action twice and says what it saw:

    @pytest.mark.case("X01")
    def test_a_neighbours_tmp_is_not_mine(case, two_tenants): ...
        case.control(...); case.walls(...)
"""
import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
sys.path[:0] = [str(HERE), str(SYSTEM)]

import case_table  # noqa: E402
import host_invariants  # noqa: E402
from attack_host import attack_host  # noqa: E402


def load_system_conftest():
    """The system tests' fixtures; under a name of its own, since this file is called conftest too."""
    spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


system = load_system_conftest()
preconditions = system.preconditions
has = system.has
SHARED = []  # the hosts that several cases use


def pytest_addoption(parser):
    parser.addoption("--table", metavar="FILE", help="write the table of cases to FILE too")
    parser.addoption("--cases", metavar="CASE,...", help="only these; CASE/TEXT: only tests of it with TEXT in their name")
    parser.addoption("--case-results", metavar="FILE", help="write the rows of the table to FILE as JSON")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("cases"):
        return
    wanted = [name.partition("/") for name in config.getoption("cases").split(",")]

    def is_wanted(item):
        mark = item.get_closest_marker("case")
        return mark and any(mark.args[0] == case and text in item.nodeid for case, _, text in wanted)

    items[:] = [item for item in items if is_wanted(item)]


def pytest_runtest_setup(item):
    """A case is in the table whatever happens to it, also before its test begins."""
    mark = item.get_closest_marker("case")
    if mark:
        kind = "twin" if item.get_closest_marker("twin") else "attack"
        item.user_properties += [("case", mark.args[0]), ("case_kind", kind)]
    system.pytest_runtest_setup(item)


@pytest.fixture
def case(request):
    """Where a test says what its case did; the id is that of its mark `case`."""
    mark = request.node.get_closest_marker("case")
    assert mark, "a test that uses `case` carries @pytest.mark.case(ID)"
    return case_table.Case(mark.args[0], lambda key, value: request.node.user_properties.append((key, value)))


@pytest.fixture(scope="module")
def module_host():
    """An AttackHost for all cases of a module, not started.  The module's own fixture adds tenants (add_bystander()
    too), starts it, and says share(host); from then on every case is followed by a look at it."""
    with attack_host() as made:
        yield made
        if made in SHARED:
            SHARED.remove(made)


@pytest.fixture(scope="session")
def share():
    return SHARED.append


@pytest.fixture
def host():
    """An AttackHost for one case, not started; invariants.watch(host) after its start."""
    with attack_host() as made:
        yield made


@pytest.fixture(autouse=True)
def invariants():
    """After every case: the host is as it was before.  Fixtures of modules come first, so shared hosts are here."""
    watched = host_invariants.Invariants()
    for host_of_many in SHARED:
        watched.watch(host_of_many)
    yield watched
    problems = watched.problems()
    assert not problems, "after the case the host is not as it was:\n" + "\n".join(problems)


def pytest_terminal_summary(terminalreporter, config):
    reports = [report for key in ("passed", "failed", "skipped", "error", "")
               for report in terminalreporter.stats.get(key, []) if hasattr(report, "user_properties")]
    rows = case_table.rows_of(reports)
    if not rows:
        return
    table = case_table.format_table(rows)
    terminalreporter.section("cases")
    terminalreporter.write(table)
    for option, text in (("table", table), ("case_results", case_table.format_json(rows))):
        if config.getoption(option):
            pathlib.Path(config.getoption(option)).write_text(text, encoding="utf-8")
