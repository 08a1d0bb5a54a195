"""Static files: a link of one tenant's never becomes a file of another's."""
import threading
import time
from types import SimpleNamespace

import pytest
from actors import SECONDS, Bare, Opened, Walled, add_attacker
from http_client import Connection

SECRET = "SECRET of globex"


@pytest.fixture(scope="module")
def street(module_host, share):
    acme = module_host.add_tenant("acme")
    acme.put("static/plain.txt", "of acme")
    add_attacker_files(module_host, acme)
    globex = add_attacker(module_host, "globex")
    globex.put("secret.txt", SECRET, 0o644)
    globex.home.chmod(0o755)
    acme.home.chmod(0o755)
    module_host.add_bystander()
    module_host.start("acme/site", "globex/site", "bystander/site")
    share(module_host)
    return module_host


def add_attacker_files(host, acme):
    from actors import give_attacks
    give_attacks(acme)
    host.set_probe(acme, wsgi="bad_app:application", directory="bad", threads="8", static="{ /static/: static }")


@pytest.fixture
def secret(street):
    return street.tenants["globex"].home / "secret.txt"


@pytest.fixture
def server(street):
    """A careless server with the gateway's uid, for the control runs."""
    home = street.directory / "homes"
    user = SimpleNamespace(uid=street.gateway_uid, home=home)
    with Bare(user, code=street.tenants["globex"].home / "bad" / "bad_app.py") as child:
        yield child


@pytest.mark.case("X08")
def test_a_link_to_a_neighbours_file_is_not_served_and_the_file_never_opened(case, street, secret, server):
    acme = street.tenants["acme"]
    attacker = Walled(street, acme)
    assert attacker.ask("bad_sharing.link", target=str(secret), path=str(acme.home / "static" / "x")) == "linked"
    case.control(server.ask("bad_sharing.read", path=str(acme.home / "static" / "x")))
    assert street.http(acme.domain, "/static/plain.txt").text == "of acme"
    with Opened(secret) as opened:
        answer = street.http(acme.domain, "/static/x")
        case.walls(f"{answer.status}, opened {opened.count()} times")
        assert answer.status == 404 and SECRET not in answer.text
        assert opened.count() == 0


@pytest.mark.case("X09")
def test_a_file_that_becomes_a_link_at_the_right_moment_leaks_nothing(case, street, secret, server):
    acme = street.tenants["acme"]
    path = str(acme.put("static/flip", "of acme"))
    attacker = Walled(street, acme)
    attacker.ask("bad_flips.start_flipping", path=path, target=str(secret))
    control = server.ask("bad_flips.look_then_open", path=path, owner=acme.uid, seconds=10, marker=SECRET)
    case.control(control, held=control == "not fooled")
    leaks, answers = [], []

    def ask():
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with Connection(street.port) as connection:
                for _ in range(500):
                    answer = connection.request(acme.domain, "/static/flip")
                    answers.append(answer.status)
                    if SECRET in answer.text:
                        leaks.append(answer)

    with Opened(secret) as opened:
        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        times = opened.count()
    rounds = attacker.ask("bad_flips.stop_flipping")
    served = answers.count(200)
    case.walls(f"{len(leaks)} leaks, opened {times} times ({len(answers)} answers, {rounds} flips)")
    assert not leaks and times == 0
    assert rounds > 1000 and served > 0 and len(answers) > served, "the race was not run"
