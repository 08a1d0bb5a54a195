"""A worker that a template has forked stands behind the walls that every worker has: all that hostile code tries on the
host's network, and all that must work, once more in one of them."""
import catalogue
import pytest
import registry
from kernel import landlock_abi

FIRST_ABI = {"landlock-scopes": 6}
TRIED = [pytest.param(probe, id=probe.name) for probe in catalogue.PROBES.values()
         if probe.tenant == "hostile" and probe.group != "libraries"]


@pytest.mark.parametrize("probe", TRIED)
def test_in_a_forked_worker_it_holds_that(probe, stages):
    if probe.wall and landlock_abi() < FIRST_ABI.get(probe.wall, 0):
        pytest.skip(f"this kernel lacks {probe.wall}")
    walls = stages.of("forked").inside(probe)
    word = "broken" if probe.kind == registry.TWIN else "open"
    assert walls.held, f"{probe.identity} is {word} in a forked worker: {walls.text}"
