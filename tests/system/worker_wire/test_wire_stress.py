"""Everything at once: several gateways, uploads, streams, clients that leave, gateways that die.  What is not given up
is answered whole and with its own bytes, nothing hangs, nothing grows."""

import random
import time

import pytest

import wire
from slow_app import descriptors

APP = '''
    import time
    def application(environ, start_response):
        kind, _, mark = environ['PATH_INFO'].strip('/').partition('/')
        mark = mark.encode()
        start_response('200 OK', [('X-Mark', mark.decode())])
        if kind == 'sleep': time.sleep(0.004)
        if kind == 'busy': sum(range(60000))
        if kind == 'stream': return (mark * 1000 for _ in range(40))
        if kind == 'large': return [mark * 60000]
        if kind == 'echo': return iter(lambda: environ['wsgi.input'].read(5000), b'')
        if kind == 'late': return [environ['wsgi.input'].read()]
        if kind == 'fail': raise ValueError(mark)
        return [mark]
'''
KINDS = ('fast', 'fast', 'fast', 'sleep', 'busy', 'stream', 'large', 'echo', 'late', 'fail', 'ignore')


class Client:
    """A gateway that keeps a number of random requests going."""

    def __init__(self, channel, chance):
        self.channel = channel
        self.chance = chance
        self.open = {}
        self.done = 0

    def begin(self):
        kind = self.chance.choice(KINDS)
        mark = f'{self.chance.randrange(10 ** 9):09}'
        with_body = kind in ('echo', 'late', 'ignore')
        body = mark.encode() * self.chance.choice((1, 100, 5000)) if with_body else None
        stream = self.channel.open(target=f'/{kind}/{mark}', method='POST' if with_body else 'GET', body=body,
                                   length=len(body or b''))
        leaves = self.chance.random() < 0.1
        if body is not None:
            self.send_body(stream, body[:len(body) // 2] if leaves else body, not leaves)
        if leaves:
            self.channel.abort(stream)
        self.open[stream] = (kind, mark.encode(), body, leaves)

    def send_body(self, stream, data, last):
        # An app that does not read may close the stream before all was sent.
        while data or last:
            if self.channel.answers[stream].closed:
                return
            part = data[:min(20000, self.channel.credits[stream])]
            if data and not part:
                self.channel.wait(lambda: self.channel.credits[stream] > 0 or self.channel.answers[stream].closed, 'credit')
                continue
            data = data[len(part):]
            self.channel.credits[stream] -= len(part)
            ends = last and not data
            if part or ends:
                self.channel.send(wire.frame(wire.BODY, stream, part, int(ends)))
            if not data:
                return

    def collect(self):
        for stream in [stream for stream in self.open if self.channel.answers[stream].closed]:
            kind, mark, body, left = self.open.pop(stream)
            answer = self.channel.answers.pop(stream)
            self.done += 1
            if left:
                continue
            if kind == 'fail':
                assert answer.abort == 17
                continue
            expected = {'stream': mark * 40000, 'large': mark * 60000, 'echo': body, 'late': body}.get(kind, mark)
            assert answer.ended and answer.body == expected and answer.header('X-Mark').encode() == mark

    def finish(self):
        deadline = time.monotonic() + wire.DEADLINE
        while self.open:
            assert time.monotonic() < deadline, self.open
            self.channel.wait(lambda: any(self.channel.answers[stream].closed for stream in self.open), 'an answer')
            self.collect()


def resident_kilobytes(pid):
    with open(f'/proc/{pid}/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))


@pytest.mark.sanitized
@pytest.mark.parametrize('threads', [1, 2, 6])
def test_everything_at_once(start, threads):
    chance = random.Random(threads)
    worker, channel = start.ready(APP, threads=threads)
    clients = [Client(channel, chance)] + [Client(worker.add_channel(), chance) for _ in range(2)]
    together = [client.channel for client in clients]  # as real gateways, each reads at all times
    for client in clients:
        client.channel.companions = together
    begun = time.monotonic()
    while time.monotonic() - begun < 4:
        client = chance.choice(clients)
        for _ in range(chance.randrange(1, 8)):
            client.begin()
        if chance.random() < 0.3:
            client.finish()
        elif len(client.open) > 16:
            client.finish()
        if chance.random() < 0.02:
            client.channel.socket.close()
            worker.channels.remove(client.channel)
            together.remove(client.channel)
            clients.remove(client)
            clients.append(Client(worker.add_channel(), chance))
            together.append(clients[-1].channel)
            clients[-1].channel.companions = together
    for client in clients:
        client.finish()
    assert sum(client.done for client in clients) > 0
    worker.drain()
    assert worker.record() == (wire.DRAINED, 0) and worker.wait_exit() == 0


def test_fifty_thousand_requests_leave_memory_and_descriptors_as_they_were(start):
    worker, channel = start.ready(APP)

    def run(batches):
        for _ in range(batches):
            batch = b''
            for _ in range(16):
                channel.last += 1
                channel.answers[channel.last] = wire.Answer()
                batch += wire.frame(wire.REQUEST, channel.last, wire.request_payload(
                    target=f'/fast/{channel.last}', headers=[(f'x-{channel.last}', 'v')]), 1)
            channel.send(batch)
            channel.wait_closed(channel.last)
            channel.answers.clear()
            channel.frames.clear()

    run(500)
    memory, files = resident_kilobytes(worker.process.pid), len(descriptors(worker.process.pid))
    run(3125)
    assert resident_kilobytes(worker.process.pid) - memory < 1024
    assert len(descriptors(worker.process.pid)) == files
