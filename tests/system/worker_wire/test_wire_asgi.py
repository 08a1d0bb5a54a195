"""An ASGI app in a worker of every Python that was built, spoken to frame by frame."""
import textwrap

import pytest

import wire
from wire import ABORT, ASGI, DATA, DETECT, END, FAILED, RESPONSE, WSGI

pytestmark = [pytest.mark.sanitized, pytest.mark.pythons('every')]
CALLABLE, IMPORT, STARTUP = 6, 5, 8

# Lifespan, and one function of each test for the rest: handle(scope, receive, send).
APP = '''
import asyncio, os, sys

async def body_of(receive):
    body = b''
    while True:
        message = await receive()
        if message['type'] == 'http.disconnect':
            raise EOFError
        body += message['body']
        if not message['more_body']:
            return body

async def answer(send, body, status=200, headers=()):
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': body})

async def lifespan(receive, send):
    while True:
        message = await receive()
        print(message['type'])
        await send({'type': message['type'] + '.complete'})
        if message['type'] == 'lifespan.shutdown':
            return

async def application(scope, receive, send):
    if scope['type'] == 'lifespan':
        return await lifespan(receive, send)
    await handle(scope, receive, send)

'''


@pytest.fixture
def asgi(start):
    """asgi(body of handle) -> the channel of a worker that runs it."""
    def make(text, **fields):
        source = APP + 'async def handle(scope, receive, send):\n' + textwrap.indent(textwrap.dedent(text), '    ')
        make.worker, channel = start.ready(source, interface=ASGI, **fields)
        return channel
    return make


def test_ready_says_that_the_worker_runs_an_event_loop(start, python):
    major, minor = map(int, python[0].split('.'))
    worker = start(APP, interface=ASGI)
    assert worker.wait_ready() == 1 << 16 | major << 8 | minor
    assert start('def application(environ, start_response): pass', interface=WSGI).wait_ready() == major << 8 | minor


def test_the_scope_says_what_the_request_is(asgi):
    channel = asgi('''
        scope.pop('state', None)
        await answer(send, repr(scope).encode())
    ''')
    answer = channel.ask('/blog/caf%C3%A9?a=1&b', script_name='/blog', path_info='/café'.encode().decode('latin-1'),
                         query='a=1&b', headers=[('accept', 'x'), ('x-a', 'é')], https=True)
    scope = eval(answer.body)  # our own app's words
    assert scope['type'] == 'http' and scope['asgi']['version'] == '3.0' and scope['http_version'] == '1.1'
    assert scope['method'] == 'GET' and scope['scheme'] == 'https'
    assert scope['path'] == '/blog/café' and scope['root_path'] == '/blog'
    assert scope['raw_path'] == b'/blog/caf%C3%A9' and scope['query_string'] == b'a=1&b'
    assert scope['client'] == ['192.0.2.1', 50000] and scope['server'] == ['acme.example', 80]
    assert scope['headers'] == [(b'host', b'acme.example'), (b'accept', b'x'), (b'x-a', 'é'.encode('latin-1'))]


def test_one_body_gets_a_content_length_and_a_stream_does_not(asgi):
    channel = asgi('''
        if scope['path'] == '/one':
            return await answer(send, b'whole', headers=[(b'X-Letter-Case', b'kept'), (b'connection', b'close')])
        await send({'type': 'http.response.start', 'status': 201})
        for part in (b'a', b'', b'b'):
            await send({'type': 'http.response.body', 'body': part, 'more_body': True})
        await send({'type': 'http.response.body'})
    ''')
    one, many = channel.ask('/one'), channel.ask('/many')
    assert one.body == b'whole' and one.headers == [('X-Letter-Case', 'kept'), ('content-length', '5')]
    assert many.status == 201 and many.body == b'ab' and many.headers == [] and many.ended
    head = channel.ask('/one', method='HEAD')
    assert head.header('content-length') == '5' and head.body == b'' and head.ended


def test_bodies_larger_than_every_window_go_both_ways(asgi):
    channel = asgi('''
        body = await body_of(receive)
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        for at in range(0, len(body), 300000):
            await send({'type': 'http.response.body', 'body': body[at:at + 300000], 'more_body': True})
        await send({'type': 'http.response.body'})
    ''')
    body = bytes(range(256)) * 12000
    assert channel.ask('/', method='POST', body=body).body == body


def test_many_requests_run_at_the_same_time(asgi):
    channel = asgi('''
        global waiting, event
        if 'waiting' not in globals():
            waiting, event = 0, asyncio.Event()
        waiting += 1
        if waiting == 100:
            event.set()
        await event.wait()
        await answer(send, b'ok')
    ''')
    streams = [channel.open(target='/') for _ in range(100)]
    assert all(channel.wait_closed(stream).body == b'ok' for stream in streams)


def test_a_client_that_goes_away_is_told_to_the_app(asgi):
    channel = asgi('''
        print('begun')
        message = await receive()
        assert message['type'] == 'http.request', message
        message = await receive()
        print('then', message['type'])
    ''')
    stream = channel.open(target='/')
    wire.wait_until(lambda: 'begun' in asgi.worker.log, 'the app runs')
    channel.abort(stream)
    channel.wait_closed(stream)
    wire.wait_until(lambda: 'then http.disconnect' in asgi.worker.log, 'the app hears of it')


def test_sending_to_nobody_raises_an_os_error_and_is_no_failure_of_the_app(asgi):
    channel = asgi('''
        await send({'type': 'http.response.start', 'status': 200})
        try:
            while True:
                await send({'type': 'http.response.body', 'body': b'x' * 60000, 'more_body': True})
        except OSError:
            print('stopped')
            raise
    ''')
    channel.auto_credit = False
    stream = channel.open(target='/')
    channel.wait(lambda: DATA in channel.answers[stream].kinds, 'the first bytes')
    channel.abort(stream)
    assert channel.wait_closed(stream).ended
    wire.wait_until(lambda: 'stopped' in asgi.worker.log, 'the end of the app')
    assert 'Traceback' not in asgi.worker.log


@pytest.mark.parametrize('text, abort, logged', [
    ('raise RuntimeError("boom")', 17, 'boom'),
    ('raise SystemExit(3)', 17, 'SystemExit'),
    ('return', 17, 'without sending a response'),
    ('await send({"type": "http.response.start", "status": 200})', 17, 'before its response was complete'),
    ('await send({"type": "http.response.start", "status": 99})', 17, 'is not from 200 to 599'),
    ('await send({"type": "http.response.start", "status": 200, "headers": [(b"a b", b"c")]})', 17, 'not a valid header'),
    ('await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"c\\r\\nd: e")]})', 17, 'control'),
    ('await send({"type": "http.response.start", "status": 200, "headers": [("a", "b")]})', 17, 'pair of bytes'),
    ('await send({"type": "http.response.body", "body": b"x"})', 17, "before 'http.response.start'"),
    ('await send({"type": "http.response.start", "status": 200})\n'
     'await send({"type": "http.response.body", "body": b"x", "more_body": True})\nraise ValueError("late")', 16, 'late'),
    ('await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})\n'
     'await send({"type": "http.response.body", "body": b"x"})', 18, 'shorter than its Content-Length'),
])
def test_a_failure_is_told_to_the_gateway_and_logged_with_the_request(asgi, text, abort, logged):
    channel = asgi('if scope["path"] == "/ok":\n    return await answer(send, b"ok")\n' + text)
    answer = channel.ask('/')
    assert answer.abort == abort
    wire.wait_until(lambda: logged in asgi.worker.log, f'{logged!r} in the log')
    assert 'request r1' in asgi.worker.log
    assert channel.ask('/ok').body == b'ok'


def test_a_file_is_sent_by_its_path(asgi):
    channel = asgi('''
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'200000')]})
        await send({'type': 'http.response.pathsend', 'path': os.path.abspath('file')})
    ''', files={'file': 'x' * 200000})
    assert channel.ask('/').body == b'x' * 200000


def test_lifespan_runs_before_the_first_request_and_after_the_last(asgi):
    channel = asgi('''
        print('request')
        await asyncio.sleep(0.05)
        await answer(send, b'ok')
    ''')
    stream = channel.open(target='/')
    wire.wait_until(lambda: 'request' in asgi.worker.log, 'the request runs')
    asgi.worker.drain()
    assert channel.wait_closed(stream).body == b'ok'
    assert asgi.worker.wait_exit() == 0
    assert asgi.worker.log.split() == ['lifespan.startup', 'request', 'lifespan.shutdown']


@pytest.mark.parametrize('text, sentence', [
    ('await send({"type": "lifespan.startup.failed", "message": "no database"})', "startup failed: no database"),
    ('await send({"type": "lifespan.startup.failed"})', "startup failed: it gave no message"),
])
def test_a_failed_startup_is_a_failed_start_with_its_message(start, text, sentence):
    worker = start(f'''
        async def application(scope, receive, send):
            assert scope["type"] == "lifespan" and (await receive())["type"] == "lifespan.startup"
            {text}
    ''', interface=ASGI)
    assert worker.record() == (FAILED, STARTUP)
    assert worker.wait_exit() == 1
    assert f"rowhouse: the app's {sentence}\n" in worker.log


def test_an_app_without_lifespan_is_served_all_the_same(start):
    _, channel = start.ready('''
        async def application(scope, receive, send):
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})
    ''', interface=ASGI)
    assert channel.ask('/').status == 204


ASGI_APPS = {
    'function': 'async def application(scope, receive, send): pass',
    'object': 'class App:\n    async def __call__(self, scope, receive, send): pass\napplication = App()',
    'wrapped': 'async def app(scope, receive, send): pass\ndef application(scope, receive, send):\n'
               '    return app(scope, receive, send)',
    'partial': 'import functools\nasync def app(x, scope, receive, send): pass\n'
               'application = functools.partial(app, 1)',
}
WSGI_APPS = {
    'function': 'def application(environ, start_response): pass',
    'object': 'class App:\n    def __call__(self, environ, start_response): pass\napplication = App()',
    'class': 'class application:\n    def __init__(self, environ, start_response): pass',
}


@pytest.mark.parametrize('source, is_asgi', [(source, True) for source in ASGI_APPS.values()] +
                         [(source, False) for source in WSGI_APPS.values()],
                         ids=[f'asgi-{name}' for name in ASGI_APPS] + [f'wsgi-{name}' for name in WSGI_APPS])
def test_what_an_app_is_can_be_seen(start, source, is_asgi):
    assert bool(start(source, interface=DETECT).wait_ready() >> 16) == is_asgi


@pytest.mark.parametrize('interface, source, sentence', [
    (DETECT, 'def application(*args): pass', 'it cannot be seen whether'),
    (DETECT, 'def application(scope): pass', 'as ASGI 2 apps did'),
    (ASGI, WSGI_APPS['function'], 'but the manifest says "asgi"'),
    (WSGI, ASGI_APPS['function'], 'but the manifest says "wsgi"'),
    (WSGI, ASGI_APPS['object'], 'but the manifest says "wsgi"'),
])
def test_an_app_of_the_other_kind_does_not_start(start, interface, source, sentence):
    worker = start(source, interface=interface)
    assert worker.record() == (FAILED, CALLABLE)
    assert sentence in worker.log


@pytest.mark.parametrize('script', [False, True])
def test_a_factory_makes_the_app(start, script):
    source = '''
        def create_app():
            async def app(scope, receive, send):
                await send({"type": "http.response.start", "status": 204})
                await send({"type": "http.response.body"})
            return app
    '''
    where = {'script': 'passenger_wsgi.py', 'files': {'passenger_wsgi.py': source}} if script else {
        'source': source, 'callable_': 'app:create_app'}
    _, channel = start.ready(interface=ASGI, factory=True, **where)
    assert channel.ask('/').status == 204


@pytest.mark.parametrize('source, step, sentence', [
    ('def create_app(): raise KeyError("no settings")', IMPORT, "failed: KeyError: 'no settings'"),
    ('def create_app(): return 7', CALLABLE, 'returned no app: what it returned is of type int'),
])
def test_a_factory_that_fails_is_a_start_error(start, source, step, sentence):
    worker = start(source, callable_='app:create_app', factory=True)
    assert worker.record() == (FAILED, step)
    assert sentence in worker.log


def test_uvloop_is_used_where_the_app_has_it(start, tmp_path):
    fake = '''
        import asyncio
        def new_event_loop():
            print("uvloop was asked")
            return asyncio.new_event_loop()
    '''
    worker = start(APP, interface=ASGI, files={'uvloop.py': fake})
    worker.wait_ready()
    assert 'uvloop was asked' in worker.log


def test_a_start_error_after_other_requests_is_no_concern_of_the_next_one(asgi):
    channel = asgi('await answer(send, await body_of(receive))')
    stream = channel.open(body=b'', method='POST', target='/', length=10)
    channel.send_body(stream, b'half', last=False)
    channel.abort(stream)
    channel.wait_closed(stream)
    assert channel.ask('/', method='POST', body=b'next').body == b'next'
    assert RESPONSE not in channel.answers[stream].kinds


def test_the_end_frame_has_a_service_time(asgi):
    channel = asgi('await asyncio.sleep(0.02)\nawait answer(send, b"ok")')
    assert channel.ask('/').service_us >= 20000


def test_a_drained_worker_leaves_when_its_last_request_ends_by_itself(asgi):
    channel = asgi('''
        print('begun')
        await asyncio.sleep(0.1)
        await answer(send, b'ok')
    ''')
    channel.auto_credit = False  # nothing comes after the answer that could wake the worker
    streams = [channel.open(target='/') for _ in range(3)]
    wire.wait_until(lambda: asgi.worker.log.count('begun') == 3, 'all of them run')
    asgi.worker.drain()
    assert all(channel.wait_closed(stream).body == b'ok' for stream in streams)
    assert asgi.worker.wait_exit() == 0
