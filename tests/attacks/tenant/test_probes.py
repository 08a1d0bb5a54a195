"""One test for each clause of what tenant code tries first: the probe fails behind the walls, its control run without
them tells what that proves."""
import catalogue
import pytest
import registry
from kernel import landlock_abi

FIRST_ABI = {"connect-ports": 4, "landlock-scopes": 6}


def library(probe):
    return [pytest.mark.library] if probe.group == "libraries" else []


def of_kind(kind):
    marks = {registry.ATTACK: [], registry.TWIN: [pytest.mark.twin]}[kind]
    return [pytest.param(probe, id=probe.name, marks=[pytest.mark.case(probe.identity), *marks, *library(probe)])
            for probe in catalogue.PROBES.values() if probe.kind == kind]


@pytest.mark.parametrize("probe", of_kind(registry.ATTACK))
def test_tenant_finds_that(probe, stages, case):
    stage = stages.of(probe.tenant)
    control, walls = stage.bare(probe), stage.inside(probe)
    case.control(control.text, held=control.held)
    case.walls(walls.text)
    if probe.wall and landlock_abi() < FIRST_ABI[probe.wall]:
        assert probe.wall in stage.missing_walls(), f"{probe.identity} is open, and the status does not say so"
        pytest.skip(f"this kernel lacks {probe.wall}, and the status says so")
    assert walls.held, f"{probe.identity} is open: {walls.text}"


@pytest.mark.parametrize("probe", of_kind(registry.TWIN))
def test_it_still_works_that(probe, stages, case):
    stage = stages.of(probe.tenant)
    control, walls = stage.bare(probe), stage.inside(probe)
    case.control(control.text, held=control.held)
    case.walls(walls.text)
    assert control.held, f"{probe.identity} does not even work outside: {control.text}"
    assert walls.held, f"{probe.identity} is broken by the walls: {walls.text}"
