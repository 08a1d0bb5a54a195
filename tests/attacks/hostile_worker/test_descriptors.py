"""W20, W21: descriptors and shared memory where only bytes belong."""
import json
import time

import pytest
from evil import Deed
from http_client import CutResponse

LINGER_S = 4
LAG_S = 1.0


def outcome(app, state, deed, **query):
    """What became of a deed that sends descriptors: the kernel refused them (Linux 6.16), or the gateway ended the
    channel because of them."""
    try:
        answer = app.ask(deed, **query)
    except CutResponse:
        answer = None
    if answer is None or answer.status == 502:
        return None, f"RH-PROTOCOL ({state.expect_violation()})"
    assert answer.status == 200, answer
    return answer, "EPERM from the kernel"


@pytest.mark.case("W20")
def test_descriptors_on_the_channel_never_become_the_gateways(case, evil, gateway):
    app = evil.take()
    case.control(app.twin())
    before = gateway.descriptors()
    state = Deed(app)
    answer, told = outcome(app, state, "descriptors", times=10_000)
    assert gateway.descriptors() <= before + 4
    if answer:
        assert json.loads(answer.body) == {"refused": 10_000}
        state.expect_unharmed()
    case.walls(f"{told}; descriptors: {before} before, {gateway.descriptors()} after")


@pytest.mark.case("W20")
def test_a_descriptor_that_is_slow_to_close_holds_nobody_up(case, evil, gateway, neighbour):
    app = evil.take()
    case.control(app.twin())
    state, at, began = Deed(app), len(neighbour.took), time.monotonic()
    answer, told = outcome(app, state, "slow_descriptor", seconds=LINGER_S)
    if answer:
        assert answer.body == b"refused", answer
    while time.monotonic() - began < LINGER_S:
        neighbour.wait_more(1)
    assert neighbour.since(at).longest_s < LAG_S, f"the bystander waited {neighbour.since(at).longest_s:.1f} s"
    state.app.wait_running()
    case.walls(f"{told}; the bystander waited {1000 * neighbour.since(at).longest_s:.0f} ms at most")


@pytest.mark.case("W20")
def test_a_descriptor_on_the_lifeline_does_not_hold_the_supervisor_up(case, evil, evil_host):
    app = evil.take()
    case.control(app.twin())
    began, longest = time.monotonic(), 0.0
    answer = app.ask("slow_descriptor", seconds=LINGER_S, lifeline=1)
    while time.monotonic() - began < LINGER_S / 2:
        asked = time.monotonic()
        assert evil_host.status(app.identity) is not None
        longest = max(longest, time.monotonic() - asked)
    assert longest < LAG_S, f"the supervisor did not answer for {longest:.1f} s"
    case.walls(f"{answer.text}; the supervisor answered within {1000 * longest:.0f} ms")


@pytest.mark.case("W21")
def test_shared_memory_of_a_worker_is_never_mapped(case, evil, gateway):
    app = evil.take()
    case.control(app.twin())
    state, before = Deed(app), gateway.memory_files()
    assert len(before) == 1, f"the gateways' own table and nothing else: {before}"
    answer, told = outcome(app, state, "memory")
    if answer:
        assert answer.body == b"refused", answer
        state.expect_unharmed()
    assert gateway.memory_files() == before
    case.walls(f"{told}; no memory of a worker is mapped")
