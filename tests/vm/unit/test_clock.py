"""The clock of the host jumps (an administrator, a first NTP step): nothing is ended, started or
cut for it, because deadlines are measured on the monotonic clock.  The machine's clock is its own."""
import contextlib
import time

import pytest

HOUR_S = 3600


@contextlib.contextmanager
def jumped(by_s):
    """The wall clock is set by so many seconds, and set back."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + by_s)
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() - by_s)


def picture(unit):
    """Which processes serve, and how often anything was restarted."""
    apps = ("acme/site", "globex/shop", "initech/site")
    status = {app: unit.status(app) for app in apps}
    return {app: (sorted(w["pid"] for w in status[app]["workers"]), status[app]["restarts"], status[app]["state"])
            for app in apps}, unit.keeper, unit.supervisor


@pytest.mark.parametrize("by_s", [24 * HOUR_S, -24 * HOUR_S], ids=["a day ahead", "a day back"])
def test_a_jump_of_the_clock_ends_nothing(unit, by_s):
    before = picture(unit)
    with jumped(by_s):
        # Longer than the looks at confinement, memory and pings, which come every 1 to 5 s.
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for app in ("acme/site", "globex/shop"):
                assert unit.get(app).status == 200
            time.sleep(0.2)
        assert picture(unit) == before
    assert picture(unit) == before
