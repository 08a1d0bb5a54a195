"""docs/walls.md: each wall, what is red without it on both kinds of cgroups, and which walls each case needs."""
import json

import mutations
from mutation import programs_of

HEAD = """# Walls, one at a time

Written by `tests/attacks/mutate --page` from the results of `tests/attacks/mutate` (a machine with cgroup v1) and
`tests/attacks/mutate --guest` (a virtual machine with cgroup v2). For each wall the program that holds it was built
without it, and the cases named here were run through that program. The last two columns say how many of them were red
there (`GREEN` which were not; `lacks`: what the machine would need; `not run`: no result of a run is there). A wall that
another one holds up entirely is taken out together with that one. `tests/attacks/test_framework.py` fails when a wall
is missing on this page, when a case of `tests/attacks` needs no wall and no reason is given for it, and when a mutation
no longer applies to the source.

| wall | in | red without it | cgroup v1 | cgroup v2 |
|---|---|---|---|---|
"""
CASES_HEAD = """
## Cases that no single wall holds

| case | why none can be taken out |
|---|---|
"""
MANY = 6


def cell(mutation, row):
    """What one run has shown, for the table that is printed."""
    if row["needs"]:
        return f"not here: this machine lacks {row['needs']}"
    if mutation.covered and not mutation.together:
        return f"covered: {mutation.covered}"
    told = ", ".join(row["red"]) or "NOTHING IS RED"
    if mutation.together:
        told = f"with {', '.join(mutation.together)}: {told}"
    return told + (f"; STILL GREEN: {', '.join(row['green'])}" if row["green"] else "")


def shortened(names):
    names = sorted(names)
    told = [name.removeprefix("tests/system/") for name in names[:MANY]]
    return ", ".join(f"`{name}`" for name in told) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")


def short_cell(mutation, results):
    row = results.get(mutation.name)
    if row is None:
        return "not run"
    if row["needs"]:
        return f"lacks {row['needs']}"
    if mutation.covered and not mutation.together:
        return "covered"
    if row["green"]:
        return "GREEN: " + shortened(row["green"])
    return f"{len(row['red'])} red"


def line_of(mutation, first, second):
    told = shortened(mutation.red)
    if mutation.covered:
        told = f"{mutation.covered}" + (f"; with {shortened(mutation.together)}: {told}" if mutation.together else "")
    if mutation.needs:
        told += f" (needs {mutation.needs})"
    return (f"| `{mutation.name}` | {programs_of(mutation.edits[0][0])[0]} | {told} | {short_cell(mutation, first)} "
            f"| {short_cell(mutation, second)} |\n")


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(page, first, second):
    first, second = load(first), load(second)
    text = HEAD + "".join(line_of(mutation, first, second) for mutation in mutations.MUTATIONS.values())
    text += CASES_HEAD + "".join(f"| `{case}` | {why} |\n" for case, why in sorted(mutations.WITHOUT_A_WALL.items()))
    page.write_text(text, encoding="utf-8")
    return 0
