"""The machinery of the cases: what a row of the table says, and that a probe which answers nothing is not held."""
import ast
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import case_table
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "apps" / "probes"))

import catalogue  # noqa: E402
import child  # noqa: E402
import mutations  # noqa: E402
import registry  # noqa: E402
import trials  # noqa: E402
import workshop  # noqa: E402


def verdict(outcome="passed", kind="attack", **properties):
    return case_table.verdict_of(outcome, {"case": "T-1", "case_kind": kind, **properties})


def test_a_case_is_held_only_when_its_control_was_not():
    assert verdict(control="ok", walls="EPERM") == case_table.HELD
    assert verdict(control="EPERM", walls="EPERM") == case_table.NO_PROOF
    assert verdict(control="EACCES", walls="EPERM", control_held=True) == case_table.NO_PROOF
    assert verdict(walls="EPERM") == case_table.NO_CONTROL
    assert verdict(control="none: why", no_control=True, walls="EPERM") == case_table.NONE_POSSIBLE


def test_what_fails_is_open_and_a_twin_that_fails_is_broken():
    assert verdict("failed", control="ok", walls="ok") == case_table.OPEN
    assert verdict("failed", "twin") == case_table.BROKEN
    assert verdict("passed", "twin", control="works", walls="works") == case_table.WORKS
    assert verdict("skipped") == case_table.SKIPPED


@dataclass
class Report:
    nodeid: str
    outcome: str
    user_properties: list = field(default_factory=list)


def test_harm_that_is_found_after_a_case_makes_its_row_open():
    said = [("case", "X01"), ("case_kind", "attack"), ("control", "ok"), ("walls", "EPERM")]
    rows = case_table.rows_of([Report("a", "passed", said), Report("a", "failed", said), Report("b", "passed")])
    assert [(row.case, row.verdict) for row in rows] == [("X01", case_table.OPEN)]
    assert "1 OPEN" in case_table.format_table(rows)


def run(function, held_by_signal=0):
    return child.run(registry.Probe("T-SELF", "self", "self", registry.ATTACK, function, held_by_signal), {})


def test_a_probe_is_held_only_by_its_own_word_or_its_own_signal():
    assert run(lambda _context: registry.Outcome(True, "x")) == registry.Outcome(True, "x")
    assert run(lambda _context: os.kill(os.getpid(), signal.SIGSYS), signal.SIGSYS).held
    assert not run(lambda _context: os.kill(os.getpid(), signal.SIGKILL), signal.SIGSYS).held


@pytest.mark.parametrize("function", [lambda _context: os._exit(0), lambda _context: 1 / 0, lambda _context: None])
def test_a_probe_that_answers_nothing_is_not_held(function):
    assert not run(function).held


def cases_of_all_tests():
    found = set(catalogue.PROBES)
    for file in Path(__file__).parent.glob("*/test_*.py"):
        found |= set(re.findall(r'mark\.case\("([^"]+)"\)', file.read_text(encoding="utf-8")))
    return found


def test_every_attack_needs_a_wall_or_there_is_a_reason_why_none_can_be_taken_out():
    twins = {name for name, probe in catalogue.PROBES.items() if probe.kind == registry.TWIN}
    held, cases = mutations.walls_of_cases(), cases_of_all_tests()
    assert cases - twins - set(held) == set(mutations.WITHOUT_A_WALL)
    assert {name for name in held if re.match("[TXSW][-0-9]", name)} <= cases


def test_every_case_has_a_control_run_or_says_why_there_can_be_none():
    for file in Path(__file__).parent.glob("*/test_*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for test in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            text = ast.unparse(test)
            if any("mark.case(" in ast.unparse(mark) for mark in test.decorator_list):
                assert "case.control(" in text or "case.no_control(" in text or "control_of(" in text, test.name


def test_every_wall_names_what_turns_red_or_what_covers_it_and_applies_to_the_source(tmp_path):
    for mutation in mutations.MUTATIONS.values():
        assert mutation.red or mutation.covered, mutation.name
        assert set(mutation.together) <= set(mutations.MUTATIONS), mutation.name
        assert set(mutation.needs.split()) <= set(trials.FEATURES), mutation.name
        workshop.Workshop.write_overlay(tmp_path / mutation.name, mutations.edits_of(mutation))


def test_every_wall_is_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "walls.md").read_text(encoding="utf-8")
    assert not [name for name in mutations.MUTATIONS if f"| `{name}` |" not in page]


def test_a_probe_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(child, "CAP_S", 0.2)
    began = time.monotonic()
    assert not run(lambda _context: time.sleep(60)).held
    assert time.monotonic() - began < 10
