"""`network: private`: what stays open on the host's network is closed, and the status names nothing missing."""
import os

import pytest
from actors import Bare, Walled, add_attacker

PRIVATE = ("uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: test\nnetwork: private\n"
           "domains: [{tenant.domains[0]}]\nmanifest: rowhouse.yaml\n")


@pytest.fixture(scope="module")
def street(module_host, share):
    add_attacker(module_host, "acme", registry=PRIVATE)
    add_attacker(module_host, "globex")
    module_host.add_bystander()
    module_host.start("acme/site", "globex/site", "bystander/site")
    share(module_host)
    return module_host


@pytest.fixture
def private(street):
    return Walled(street, street.tenants["acme"])


@pytest.fixture
def neighbour(street):
    return Walled(street, street.tenants["globex"])


@pytest.fixture
def bare(street):
    with Bare(street.tenants["acme"]) as a, Bare(street.tenants["globex"]) as b:
        yield a, b


@pytest.mark.case("X04")
def test_abstract_sockets_of_a_private_network_are_its_own(case, private, neighbour, bare):
    name = f"rowhouse-private-{os.getpid()}"
    assert bare[1].ask("bad_sharing.bind_abstract", name=name + "-bare") == "bound"
    case.control(bare[0].ask("bad_sharing.connect_abstract", name=name + "-bare"))
    assert neighbour.ask("bad_sharing.bind_abstract", name=name) == "bound"
    reached = private.ask("bad_sharing.connect_abstract", name=name)
    taken = private.ask("bad_sharing.bind_abstract", name=name)
    case.walls(f"{reached}; same name: {taken}")
    assert reached in ("ECONNREFUSED", "EPERM") and taken == "bound"
    assert "private-network" not in private.host.status(private.name)["sandbox"]["missing"]


@pytest.mark.case("X05")
def test_a_neighbours_loopback_port_is_refused_from_a_private_network(case, private, neighbour, bare):
    port = bare[1].ask("bad_sharing.listen_on_loopback")
    case.control(bare[0].ask("bad_sharing.connect_on_loopback", port=port))
    port = neighbour.ask("bad_sharing.listen_on_loopback")
    reached = private.ask("bad_sharing.connect_on_loopback", port=port)
    visitors = neighbour.ask("bad_sharing.count_of_visitors")
    case.walls(f"{reached}, neighbour had {visitors} visitors")
    assert reached == "ECONNREFUSED" and visitors == 0
    own = private.ask("bad_sharing.listen_on_loopback")
    assert private.ask("bad_sharing.connect_on_loopback", port=own) == "connected"  # the twin


@pytest.mark.case("X05")
def test_the_gateway_is_not_reached_from_a_private_network(case, street, private, bare):
    case.control(bare[0].ask("bad_sharing.connect_on_loopback", port=street.port))
    reached = private.ask("bad_sharing.connect_on_loopback", port=street.port)
    case.walls(reached)
    assert reached == "ECONNREFUSED"
