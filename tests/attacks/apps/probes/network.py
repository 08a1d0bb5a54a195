"""T-NET: what tenant code can reach over the network.  In a private network namespace all of it is closed; where an
app shares the host's network only some is, and its status has to say so."""
import os
import socket

from registry import Outcome, all_held, attempt, probe, works

METADATA = ("169.254.169.254", 80)
PRIVATE_RANGE = ("10.0.0.1", 5432)
CONNECT_S = 2.0


def connect(address, kind=socket.SOCK_STREAM):
    """A datagram socket's connect only asks for a route: nothing is sent."""
    with socket.socket(socket.AF_INET, kind) as connection:
        connection.settimeout(CONNECT_S)
        return attempt(lambda: connection.connect(tuple(address)))


@probe("T-NET-01", tenant="recluse")
def a_neighbours_port_on_the_loopback_is_closed(context):
    return all_held({"stream": connect(context["neighbour_port"])}, {"ECONNREFUSED"})


@probe("T-NET-02", tenant="recluse")
def there_is_no_route_to_a_metadata_service(_context):
    return all_held({"route": connect(METADATA, socket.SOCK_DGRAM)}, {"ENETUNREACH"})


@probe("T-NET-03", tenant="recluse")
def there_is_no_route_to_private_networks(_context):
    return all_held({"route": connect(PRIVATE_RANGE, socket.SOCK_DGRAM)}, {"ENETUNREACH"})


@probe("T-NET-04")
def low_ports_cannot_be_bound(_context):
    def bind(port):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
    return all_held({str(port): attempt(lambda p=port: bind(p)) for port in (25, 80, 443, 1023)}, {"EACCES"})


@probe("T-NET-05")
def the_control_socket_is_unreachable(context):
    with socket.socket(socket.AF_UNIX) as connection:
        said = attempt(lambda: connection.connect(context["control_socket"]))
    return Outcome(said in ("ENOENT", "EACCES"), f"connect: {said}")


@probe("T-NET-06", tenant="recluse")
def the_hosts_sockets_are_not_listed(context):
    with open("/proc/net/tcp", encoding="ascii") as file:
        listed = f":{context['neighbour_port'][1]:04X}" in file.read()
    return Outcome(not listed, "listed" if listed else "not listed")


@probe("T-NET-07", tenant="recluse")
def there_is_no_interface_but_the_loopback(_context):
    names = [name for _, name in socket.if_nameindex()]
    return Outcome(names == ["lo"], " ".join(names))


@probe("T-NET-08", tenant="recluse")
def the_gateways_own_port_is_closed(context):
    return all_held({"stream": connect(context["gateway_port"])}, {"ECONNREFUSED"})


@probe("T-NET-09")
def run_and_its_sockets_are_empty(_context):
    listed = os.listdir("/run")
    return Outcome(not listed, f"{len(listed)} entries in /run")


@probe("T-NET-11", tenant="clerk", wall="connect-ports")
def a_port_that_is_not_listed_is_closed(context):
    return all_held({"unlisted": connect(context["gateway_port"])}, {"EACCES"})


@works("T-NET-12", tenant="clerk")
def a_port_that_is_listed_can_be_reached(context):
    assert connect(context["neighbour_port"]) == "ok"


@works("T-NET-13", tenant="recluse")
def a_unix_socket_that_is_listed_can_be_reached(context):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(context["database_socket"])


@probe("T-NET-14", tenant="recluse")
def a_unix_socket_that_is_not_listed_does_not_exist(context):
    with socket.socket(socket.AF_UNIX) as connection:
        said = attempt(lambda: connection.connect(context["control_socket"]))
    return Outcome(said == "ENOENT", f"connect: {said}")
