"""Requests of every kind under the debug build of Python, which counts all references: no request keeps one.
ROWHOUSE_LEAK_REQUESTS is how many there are, in each case; 100,000 take some minutes."""

import os

import pytest

from test_wire_leaks import ASGI_APP, WSGI_APP, ask_all
from test_wire_stress import resident_kilobytes
from wire import ASGI

REQUESTS = int(os.environ.get('ROWHOUSE_LEAK_REQUESTS', 3000))
WARM_ROUNDS = 30
MEMORY_KILOBYTES = 1024


@pytest.mark.timeout(120 + REQUESTS // 20)
@pytest.mark.pythons('debug')
@pytest.mark.needs('debug-python')
@pytest.mark.parametrize('interface, threads', [('wsgi', 1), ('wsgi', 3), ('asgi', 1)])
def test_no_request_keeps_a_reference(start, interface, threads):
    # uvloop's package is no debug build: what it lets go is not counted.
    fields = {'interface': ASGI, 'files': {'uvloop.py': 'raise ImportError'}} if interface == 'asgi' else {'threads': threads}
    worker, channel = start.ready(ASGI_APP if interface == 'asgi' else WSGI_APP, **fields)

    def counted():
        references = eval(channel.ask('/count').body)[2]  # our own app's words
        assert references > 0, 'this is no debug build'
        return references, resident_kilobytes(worker.process.pid)

    # What the interpreter and the standard library keep for themselves, to be faster the next time, comes to an end.
    before = counted()
    for _ in range(20):
        earlier = before
        for _ in range(WARM_ROUNDS):
            ask_all(channel, interface)
        before = counted()
        if before[0] - earlier[0] < WARM_ROUNDS // 3 and before[1] - earlier[1] < MEMORY_KILOBYTES // 2:
            break
    rounds = requests = 0
    while requests < REQUESTS:
        requests += ask_all(channel, interface)
        rounds += 1
    references, memory = (now - earlier for now, earlier in zip(counted(), before))
    print(f'{requests} requests in {rounds} rounds: {references} references, {memory} KiB')
    # One reference that one kind of request kept each time would be at least `rounds`.
    assert references < rounds // 3, (references, rounds)
    assert memory < MEMORY_KILOBYTES
