"""Every test and every case that docs/threat-model.md names exists, so that no promise stands there unproved."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASE = re.compile(r"(T-[A-Z]+-\d\d|[XSW]\d\d)")


def references(page):
    """What the tables of promises name in code marks: cases, files, and tests as FILE::NAME."""
    promises = page.split("## Promises")[1].split("## Not promised")[0]
    words = re.findall(r"`([^`]+)`", promises)
    cases = [word for word in words if CASE.fullmatch(word)]
    tests = [word for word in words if word.startswith("tests/")]
    return cases, tests


def known_cases(root):
    """The numbers that the suite gives: as marks, or to probes in its tables."""
    sources = [path.read_text() for path in (root / "tests" / "attacks").rglob("*.py") if path.name != "mutations.py"]
    return {case for text in sources for case in re.findall(r"[\"'](?:T-[A-Z]+-\d\d|[XSW]\d\d)[\"']", text)}


def missing(page, root):
    cases, tests = references(page)
    known = {case.strip("\"'") for case in known_cases(root)}
    problems = [case for case in cases if case not in known]
    for test in tests:
        file, _, name = test.partition("::")
        path = root / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text()):
            problems.append(test)
    return problems


def test_the_page_names_only_what_exists():
    page = (ROOT / "docs" / "threat-model.md").read_text()
    cases, tests = references(page)
    assert len(cases) > 50 and len(tests) > 5
    assert missing(page, ROOT) == []


def test_a_promise_without_a_test_is_noticed():
    page = "## Promises\n| p | `X99`, `tests/none.py::test_x`, `tests/layers/test_threat_model.py::test_none` |\n## Not promised\n"
    assert missing(page, ROOT) == ["X99", "tests/none.py::test_x", "tests/layers/test_threat_model.py::test_none"]


def test_every_row_of_promises_names_a_proof():
    page = (ROOT / "docs" / "threat-model.md").read_text()
    rows = [line for line in page.split("## Promises")[1].split("## Not promised")[0].splitlines()
            if line.startswith("| ") and not line.startswith("| promise ")]
    assert len(rows) > 20
    assert [row for row in rows if not any(references("## Promises\n" + row + "\n## Not promised\n"))] == []
