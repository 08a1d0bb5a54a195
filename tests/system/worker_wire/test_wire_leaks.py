"""Requests of every kind, again and again: what the interpreter has allocated afterwards is what it had before."""
import base64
import os
import struct

import pytest

import wire
from test_wire_stress import resident_kilobytes
from wire import ASGI

COUNT = '''
import gc, sys

def count():
    for _ in range(3):
        gc.collect()
    references = getattr(sys, 'gettotalrefcount', int)  # of a debug build
    return repr((sys.getallocatedblocks(), len(gc.get_objects()), references())).encode()
'''

WSGI_APP = COUNT + '''
import io

def chunks(fails=False):
    yield b'one'
    if fails:
        raise ValueError('late')
    yield b'two' * 30000

def application(environ, start_response):
    kind = environ['PATH_INFO'].strip('/')
    if kind == 'never': return [b'x']
    if kind == 'bad': start_response('200 OK', [('a b', 'c')])
    if kind == 'early': raise KeyError(kind)
    write = start_response('200 OK', [('Content-Type', 'text/plain'), ('X-Kind', kind)])
    if kind == 'count': return [count()]
    if kind == 'twice': start_response('200 OK', [])
    if kind == 'stream': return chunks()
    if kind == 'late': return chunks(fails=True)
    if kind == 'write': write(b'written')
    if kind == 'text': write('text')
    if kind == 'number': return 7
    if kind == 'file': return environ['wsgi.file_wrapper'](io.BytesIO(b'f' * 50000))
    if kind == 'read': return [environ['wsgi.input'].read()]
    if kind == 'lines': return list(environ['wsgi.input'])
    if kind == 'replaced':
        try: raise KeyError(kind)
        except KeyError: start_response('500 Sorry', [], sys.exc_info())
    print(kind, file=environ['wsgi.errors'])
    return [b'done']
'''

ASGI_APP = COUNT + '''
import asyncio, os

def forget_timers():
    """asyncio forgets timers that were cancelled when there are many."""
    loop = asyncio.get_running_loop()
    if not hasattr(loop, '_timer_cancelled_count'): return  # it is uvloop's
    loop._scheduled[:] = sorted(each for each in loop._scheduled if not each.cancelled())
    loop._timer_cancelled_count = 0

async def send_all(send, *parts, status=200, headers=((b'x-a', b'b'),)):
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    for part in parts:
        await send({'type': 'http.response.body', 'body': part, 'more_body': True})
    await send({'type': 'http.response.body'})

async def read_all(receive):
    body, more = b'', True
    while more:
        message = await receive()
        if message['type'] == 'http.disconnect':
            return body
        body, more = body + message['body'], message['more_body']
    return body

async def echo(receive, send):
    await receive()
    await send({'type': 'websocket.accept', 'subprotocol': 'chat'})
    while (message := await receive())['type'] == 'websocket.receive':
        await send({'type': 'websocket.send', 'text': message['text']})

async def application(scope, receive, send):
    if scope['type'] == 'lifespan': raise NotImplementedError
    kind = scope['path'].strip('/')
    if scope['type'] == 'websocket':
        if kind == 'echo': return await echo(receive, send)
        if kind == 'refuse': return await send({'type': 'websocket.close'})
        raise KeyError(kind)
    if kind == 'early': raise KeyError(kind)
    if kind == 'nothing': return
    if kind == 'count':
        forget_timers()
        return await send_all(send, count())
    if kind == 'stream': return await send_all(send, *[b'p' * 30000] * 5)
    if kind == 'read': return await send_all(send, await read_all(receive))
    if kind == 'bad': return await send_all(send, headers=[(b'a b', b'c')])
    if kind == 'task': return await asyncio.gather(asyncio.sleep(0), send_all(send, b'x'))
    if kind == 'file':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        return await send({'type': 'http.response.pathsend', 'path': os.path.abspath('app.py')})
    if kind == 'late':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'x', 'more_body': True})
        raise ValueError('late')
    await send_all(send, b'done')
'''

WSGI_KINDS = ('plain', 'never', 'bad', 'early', 'twice', 'stream', 'late', 'write', 'text', 'number', 'file', 'replaced')
ASGI_KINDS = ('plain', 'early', 'nothing', 'stream', 'bad', 'task', 'file', 'late')
BODY_KINDS = {'wsgi': ('read', 'lines', 'unread'), 'asgi': ('read', 'unread')}
EACH = 60


def masked(opcode, payload):
    key = os.urandom(4)
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


def ask_websocket(channel, kind):
    key = base64.b64encode(os.urandom(16)).decode()
    stream = channel.open(target=f'/{kind}', flags=3, headers=[
        ('sec-websocket-key', key), ('sec-websocket-version', '13'), ('sec-websocket-protocol', 'chat')])
    answer = channel.answers[stream]
    channel.wait(lambda: answer.status is not None or answer.closed, 'an answer to the handshake')
    if answer.status == 101:
        channel.send_body(stream, masked(1, b'hello') + masked(9, b'ping'), last=False)
        channel.wait(lambda: b'hello' in answer.body, 'the echo')
        channel.send_body(stream, masked(8, struct.pack('>H', 1000)), last=False)
    channel.wait_closed(stream)


def leave(channel, kind):
    """A client that goes away in the middle of its body."""
    stream = channel.open(body=b'', method='POST', target=f'/{kind}', length=100)
    channel.send_body(stream, b'half', last=False)
    channel.abort(stream)
    channel.wait_closed(stream)


def ask_all(channel, interface):
    """One round; how many requests it had."""
    first = channel.last
    for kind in WSGI_KINDS if interface == 'wsgi' else ASGI_KINDS:
        channel.ask(f'/{kind}')
        channel.ask(f'/{kind}', method='HEAD')
    for kind in BODY_KINDS[interface]:
        channel.ask(f'/{kind}', method='POST', body=b'line\n' * 2000)
        leave(channel, kind)
    if interface == 'asgi':
        for kind in ('echo', 'refuse', 'fail'):
            ask_websocket(channel, kind)
    channel.answers.clear()
    channel.frames.clear()
    return channel.last - first


@pytest.mark.parametrize('interface, threads', [('wsgi', 1), ('wsgi', 3), ('asgi', 1)])
def test_requests_of_every_kind_leave_no_object_behind(start, interface, threads):
    fields = {'interface': ASGI} if interface == 'asgi' else {'threads': threads}
    worker, channel = start.ready(ASGI_APP if interface == 'asgi' else WSGI_APP, **fields)

    def window():
        """How much EACH rounds add to the blocks, the objects that the collector knows, and the resident KiB."""
        before = counted()
        for _ in range(EACH):
            ask_all(channel, interface)
        return [after - earlier for after, earlier in zip(counted(), before)]

    def counted():
        blocks, objects, _ = eval(channel.ask('/count').body)  # our own app's words
        return blocks, objects, resident_kilobytes(worker.process.pid)

    # One object that a kind of request left each time would be EACH of them in every window; what the interpreter keeps for
    # itself, to be faster the next time, comes to an end.
    windows = []
    while not windows or windows[-1][0] >= EACH // 3 or windows[-1][1] >= EACH // 3 or windows[-1][2] >= 512:
        assert len(windows) < 20, windows
        windows.append(window())
