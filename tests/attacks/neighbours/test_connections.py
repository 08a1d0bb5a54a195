"""A tenant that opens connections to the gateway: its neighbour is served all the same."""
import pytest
from actors import SECONDS, Pulse, Walled, add_attacker
from http_client import Connection
from processes import descriptor_count

EACH = 4000  # below the open files of one process of a tenant
HOLD_S = 60
BAND_S = 0.25


@pytest.fixture
def street(host):
    host.gateways = 1
    add_attacker(host, "acme")
    add_attacker(host, "globex")
    host.start("acme/site", "globex/site")
    return host


def hold(street, count):
    """Kept-alive connections of A, which has asked for its own site on each; the end of the host ends them."""
    attacker = Walled(street, street.tenants["acme"])
    return attacker.ask("bad_hunger.hold_connections", port=street.port, processes=-(-count // EACH),
                        each=min(count, EACH), seconds=HOLD_S, patience=60,
                        request="GET / HTTP/1.1\r\nHost: acme.test\r\n\r\n")


@pytest.mark.case("X15")
def test_thousands_of_open_connections_of_one_tenant_do_not_slow_its_neighbour(case, street):
    opened = hold(street, 2000)
    [gateway] = street.gateway_pids()
    with Pulse(street, "globex.test") as pulse:
        answers = [street.http("globex.test").status for _ in range(50)]
    case.walls(f"{opened} connections of A, B's p99 {pulse.percentile(0.99) * 1000:.0f} ms")
    assert opened == 2000 and descriptor_count(gateway) > 2000
    assert answers == [200] * len(answers)
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S


@pytest.mark.case("X15")
@pytest.mark.skipif(SECONDS < 10, reason="fills the gateway: ATTACK_SECONDS=10 and more")
@pytest.mark.xfail(strict=True, reason="the gateway has no limit for the connections of one address yet")
def test_connections_from_one_address_never_take_all_places_of_the_gateway(case, street):
    [gateway] = street.gateway_pids()
    with open(f"/proc/{gateway}/limits", encoding="ascii") as limits:
        [line] = [line for line in limits if line.startswith("Max open files")]
    files = int(line.split()[3])
    opened = hold(street, files)
    if descriptor_count(gateway) < files - files // 8 - 64:
        pytest.skip("this machine is too slow to fill the gateway before its idle connections end")
    clients = [Connection(street.port) for _ in range(8)]
    answers = [client.request("globex.test", "/hello").status for client in clients]
    for client in clients:
        client.close()
    case.walls(f"{opened} connections of A, B's answers: {sorted(set(answers))}")
    assert answers == [200] * len(answers)
