"""What a mutation is: one wall taken out by an edit of the source, and what must turn red without it.

An edit is (file, old, new); `old` occurs in the file exactly once, or the mutation no longer applies, which is an
error.  What must turn red is named, so that nothing else has to run:

    T-FILE-03                             a case of tests/attacks
    W08/on_a_stream                       a case, but only its tests whose name has this in it
    tests/system/test_x.py::test_y        a system test
    unit: NAME                            a test of the jail's own, tests/unit/jail
    START_REFUSED                         no sandbox starts at all: another step sees it
"""
from dataclasses import dataclass

START_REFUSED = "no sandbox starts"
PROGRAMS = (("supervisor/jail/", ("rowhouse-jail",)), ("supervisor/", ("rowhoused",)),
            ("gateway/", ("rowhouse-gateway",)), ("control/", ("rowhouse-control",)), ("config/", ("rowhouse-loader",)),
            ("proto/", ("rowhouse-gateway",)), ("base/", ("rowhouse-gateway", "rowhoused")))


@dataclass(frozen=True)
class Mutation:
    name: str
    edits: tuple
    red: frozenset = frozenset()  # each of these must turn red
    covered: str = ""  # why nothing turns red when this wall alone goes
    together: tuple = ()  # the other walls that hold it up: with them taken out too, `red` turns red
    needs: str = ""  # what a machine must have for this wall to be seen (a feature of trials.py)


def programs_of(file):
    """Which programs an edited file is built into."""
    return next(programs for prefix, programs in PROGRAMS if file.startswith(prefix))
