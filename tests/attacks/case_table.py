"""The table of cases: what happened without walls, what behind them, and what that proves."""
import json
from dataclasses import asdict, dataclass

TEXT_WIDTH = 46
HELD, OPEN, NO_PROOF, NO_CONTROL, NONE_POSSIBLE, WORKS, BROKEN, SKIPPED = (
    "held", "OPEN", "no proof: control held too", "held, no control run", "held, no control possible", "works", "BROKEN",
    "skipped")


class Case:
    """What one test tells about its case.  Given to a test by the fixture `case`."""

    def __init__(self, identity, record):
        self.identity, self._record = identity, record

    def control(self, outcome, held=None):
        """The outcome of the same action without walls.  `held` (a bool) says whether it failed there too; when
        left out, it did if the walls' outcome is the same text."""
        self._record("control", str(outcome))
        if held is not None:
            self._record("control_held", held)

    def no_control(self, why):
        """Why the action means nothing without the walls; then the proof is that the case turns red when its wall is
        taken out (mutate)."""
        self._record("control", f"none: {why}")
        self._record("no_control", True)

    def walls(self, outcome):
        """The outcome behind the walls."""
        self._record("walls", str(outcome))


@dataclass
class Row:
    case: str
    test: str
    control: str
    walls: str
    verdict: str


def verdict_of(outcome, properties):
    """`outcome`: passed, failed or skipped; `properties`: what Case recorded."""
    twin = properties.get("case_kind") == "twin"
    if outcome == "skipped":
        return SKIPPED
    if outcome != "passed":
        return BROKEN if twin else OPEN
    if twin:
        return WORKS
    if "control" not in properties:
        return NO_CONTROL
    if "no_control" in properties:
        return NONE_POSSIBLE
    held = properties.get("control_held", properties["control"] == properties.get("walls"))
    return NO_PROOF if held else HELD


def rows_of(reports):
    """One row for each test that has a case; the worst phase of a test decides."""
    worst, properties, order = {}, {}, ["passed", "skipped", "failed"]
    for report in reports:
        given = dict(report.user_properties)
        if "case" not in given:
            continue
        properties.setdefault(report.nodeid, {}).update(given)
        worst[report.nodeid] = max(worst.get(report.nodeid, "passed"), report.outcome, key=order.index)
    rows = [Row(p["case"], node, p.get("control", "-"), p.get("walls", "-"), verdict_of(worst[node], p))
            for node, p in properties.items()]
    return sorted(rows, key=lambda row: (row.case, row.test))


def cut(text):
    line = " ".join(text.split())
    return line if len(line) <= TEXT_WIDTH else line[:TEXT_WIDTH - 3] + "..."


def format_table(rows):
    lines = [("case", "control", "with walls", "verdict")]
    lines += [(row.case, cut(row.control), cut(row.walls), row.verdict) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in
              (HELD, WORKS, NO_PROOF, NO_CONTROL, NONE_POSSIBLE, SKIPPED, OPEN, BROKEN)}
    text.append("")
    text.append(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    return "\n".join(text) + "\n"


def format_json(rows):
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"
