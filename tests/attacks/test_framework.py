"""The machinery of the cases: what a row of the table says, and that a probe which answers nothing is not held."""
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import case_table
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "apps" / "probes"))

import child  # noqa: E402
import registry  # noqa: E402


def verdict(outcome="passed", kind="attack", **properties):
    return case_table.verdict_of(outcome, {"case": "T-1", "case_kind": kind, **properties})


def test_a_case_is_held_only_when_its_control_was_not():
    assert verdict(control="ok", walls="EPERM") == case_table.HELD
    assert verdict(control="EPERM", walls="EPERM") == case_table.NO_PROOF
    assert verdict(control="EACCES", walls="EPERM", control_held=True) == case_table.NO_PROOF
    assert verdict(walls="EPERM") == case_table.NO_CONTROL


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


def test_a_probe_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(child, "CAP_S", 0.2)
    began = time.monotonic()
    assert not run(lambda _context: time.sleep(60)).held
    assert time.monotonic() - began < 10
