#!/usr/bin/python3
"""count_results.py FILE...: sums what ran, and prints "N passed, N failed, N skipped".

FILE is a meson testlog.json (doctest cases are counted one by one), a JUnit XML of pytest, or a .txt with lines
"passed NAME" and "failed NAME".  Names every failure and every reason of a skip.  Exits 1 when something failed or
nothing passed.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

DOCTEST = re.compile(r"test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")


def count_meson(path, counts, said):
    for line in path.read_text().splitlines():
        test = json.loads(line)
        text = re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout") or "")
        found = DOCTEST.search(text)
        if found:
            _, passed, failed, skipped = map(int, found.groups())
            counts.update(passed=passed, failed=failed, skipped=skipped)
        bad = test["result"] not in ("OK", "SKIP")
        if bad:
            said.append(f"failed: {test['name']} ({test['result']})")
        if bad and not (found and failed):
            counts["failed"] += 1
        elif not found:
            counts["skipped" if test["result"] == "SKIP" else "passed"] += 1


def count_junit(path, counts, said):
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            counts["failed"] += 1
            said.append(f"failed: {name}")
        elif "skipped" in kinds:
            counts["skipped"] += 1
            said.append(f"skipped: {name}: {kinds['skipped'].get('message')}")
        else:
            counts["passed"] += 1


def count_lines(path, counts, said):
    for line in path.read_text().splitlines():
        outcome, name = line.split(" ", 1)
        counts[outcome] += 1
        if outcome == "failed":
            said.append(f"failed: {name}")


COUNTERS = {".json": count_meson, ".xml": count_junit, ".txt": count_lines}


def main():
    counts, said = collections.Counter(), []
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        try:
            COUNTERS[path.suffix](path, counts, said)
        except (OSError, ValueError, xml.ParseError) as error:
            counts["failed"] += 1
            said.append(f"failed: no results in {path}: {error}")
    for line in said:
        print(line)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
