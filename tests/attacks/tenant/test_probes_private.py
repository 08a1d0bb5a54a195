"""What an app's status says of the network that it shares, and that a private one takes nothing away that programs
need."""
import catalogue
import pytest

TWINS = [pytest.param(catalogue.PROBES[identity], id=catalogue.PROBES[identity].name)
         for identity in ("T-KEEP-14", "T-KEEP-20", "T-LIB-02", "T-LIB-06")]


@pytest.mark.parametrize("probe", TWINS)
def test_in_a_private_network_it_still_works_that(probe, stages):
    walls = stages.of("recluse").inside(probe)
    assert walls.held, f"{probe.identity} is broken by the private network: {walls.text}"


@pytest.mark.case("T-NET-10")
def test_an_app_on_the_hosts_network_says_in_its_status_that_it_has_no_private_one(stages, case):
    shared, private = (stages.of(name).missing_walls() for name in ("hostile", "recluse"))
    case.control(f"host network: missing {' '.join(shared)}", held=False)
    case.walls(f"private: missing {' '.join(private) or 'nothing'}")
    assert "private-network" in shared
    assert "private-network" not in private
