"""A tenant that opens connections to the gateway: its neighbour is served all the same.  That one client never gets
more than its share is in tests/system/test_gateway.py."""
import pytest
from actors import Pulse, Walled, add_attacker
from processes import descriptor_count
from rowhouse_host import SLOW

EACH = 4000  # below the open files of one process of a tenant
HOLD_S = 60
BAND_S = 3.0 if SLOW else 0.25


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
    case.no_control("without its places the gateway is another program")
    case.walls(f"{opened} connections of A, B's p99 {pulse.percentile(0.99) * 1000:.0f} ms")
    assert opened == 2000 and descriptor_count(gateway) > 2000
    assert answers == [200] * len(answers)
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S
