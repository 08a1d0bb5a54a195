"""Channels: several, replaced, broken, ended."""

import socket
import struct

import pytest

import wire
from slow_app import SLOW, descriptors

pytestmark = pytest.mark.sanitized


def test_hello_comes_first_and_unasked(start):
    worker = start(SLOW)
    worker.wait_ready()
    ours, theirs = socket.socketpair()
    socket.send_fds(worker.lifeline, [struct.pack('<HHIQ', wire.CHANNEL, 1, 0, 0)], [theirs.fileno()])
    ours.settimeout(5)
    assert ours.recv(100) == bytes.fromhex('080000000100000000000000' '0100000000000400')


def test_several_gateways_are_served_and_one_may_leave(start):
    worker, first = start.ready(SLOW)
    second = worker.add_channel(number=1)
    assert first.ask('/1').body == b'/1' and second.ask('/2').body == b'/2'
    first.socket.close()
    for _ in range(3):
        assert second.ask('/3').body == b'/3'
    replacement = worker.add_channel(number=0)
    assert replacement.ask('/4').body == b'/4'
    worker.channels.remove(first)


def test_a_hundred_replaced_gateways_leave_nothing_behind(start):
    worker, channel = start.ready(SLOW)
    channel.ask()
    before = descriptors(worker.process.pid)
    for i in range(100):
        temporary = worker.add_channel(number=1)
        assert temporary.ask('/x').ended
        temporary.socket.close()
    channel.ask()
    assert len(descriptors(worker.process.pid)) <= len(before) + 1
    worker.channels[1:] = []


def test_the_end_of_a_channel_closes_what_runs_on_it(start):
    worker, channel = start.ready('''
        import time
        closed = []
        class Body:
            def __iter__(self): return self
            def __next__(self): time.sleep(0.002); return b'x'
            def close(self): closed.append(1)
        def application(environ, start_response):
            start_response('200 OK', [])
            return [repr(closed).encode()] if environ['PATH_INFO'] == '/closed' else Body()
    ''')
    stream = channel.open(target='/')
    channel.wait(lambda: channel.answers[stream].body, 'the first chunk')
    channel.socket.close()
    worker.channels.remove(channel)
    other = worker.add_channel()
    wire.wait_until(lambda: other.ask('/closed').body == b'[1]', 'close()')


@pytest.mark.parametrize('garbage', [
    wire.frame(wire.REQUEST, 5, wire.request_payload(), 1), wire.frame(wire.HELLO, 0, struct.pack('<HHI', 1, 0, 1)),
    wire.frame(99, 1), wire.frame(wire.REQUEST, 1, b'x' * 60, 1), b'GET / HTTP/1.1\r\n\r\n' + b'x' * 100,
    wire.frame(wire.END, 1, b'\0\0\0\0'), struct.pack('<IBBHI', 1 << 30, 3, 0, 0, 1)])
def test_a_gateway_that_breaks_the_protocol_loses_only_its_channel(start, garbage):
    worker, good = start.ready(SLOW)
    bad = worker.add_channel()
    bad.wait(lambda: bad.hello, 'HELLO')
    bad.send(garbage)
    with pytest.raises(AssertionError, match='closed the channel'):
        bad.wait(lambda: False, 'nothing')
    assert good.ask('/still').body == b'/still'
    assert 'rowhouse: a channel ends: ' in worker.log


def test_more_body_than_credit_ends_the_channel(start):
    worker, channel = start.ready(SLOW)
    stream = channel.open(body=b'', target='/sleep', query='0.5', method='POST', length=wire.UNKNOWN_LENGTH)
    channel.socket.settimeout(5)
    with pytest.raises((BrokenPipeError, ConnectionResetError, AssertionError)):
        for _ in range(9):
            channel.socket.sendall(wire.frame(wire.BODY, stream, b'x' * 32768))
        channel.wait(lambda: False, 'nothing', deadline=2)
    assert 'BODY beyond credit' in worker.log


def test_every_split_of_the_input_gives_the_same_answer(start):
    _, channel = start.ready(SLOW)
    request = wire.frame(wire.REQUEST, 1, wire.request_payload(target='/split'), 1)
    channel.wait(lambda: channel.hello, 'HELLO')
    for cut in range(1, len(request)):
        channel.last += 1
        channel.answers[channel.last] = wire.Answer()
        request = wire.frame(wire.REQUEST, channel.last, wire.request_payload(target='/split'), 1)
        channel.socket.sendall(request[:cut])
        channel.socket.sendall(request[cut:])
        assert channel.wait_closed(channel.last).body == b'/split'
