"""The whole interface under wsgiref.validate, which watches both sides of it, on one thread and on several."""

import pytest

import wire

pytestmark = pytest.mark.sanitized

APP = '''
    import io
    from wsgiref.validate import validator

    class Body:
        def __init__(self, *chunks): self.chunks = iter(chunks)
        def __iter__(self): return self
        def __next__(self): return next(self.chunks)
        def close(self): pass

    def application(environ, start_response):
        name = environ['PATH_INFO'].strip('/')
        headers = [('Content-Type', 'text/plain; charset=utf-8')]
        if name == 'nothing':
            start_response('204 No Content', [])
            return Body()
        if name == 'write':
            start_response('200 OK', headers)(b'written ')
            return Body(b'yielded')
        start_response('200 OK', headers)
        stream = environ['wsgi.input']
        if name == 'read':
            parts = []
            while True:
                part = stream.read(7)
                if not part: return Body(*parts)
                parts.append(part)
        if name == 'lines': return Body(*iter(lambda: stream.readline(), b''))
        if name == 'readlines': return stream.readlines()
        if name == 'iterate': return Body(*stream)
        if name == 'errors':
            environ['wsgi.errors'].write('to the log')
            environ['wsgi.errors'].writelines([' and ', 'more'])
            environ['wsgi.errors'].flush()
        if name == 'stream': return Body(b'a', b'', b'b' * 100000, b'c')
        return [b'plain']

    application = validator(application)
'''
LINES = b'first\nsecond line\n\nlast'


@pytest.fixture(params=[1, 4])
def channel(start, request):
    worker, channel = start.ready(APP, threads=request.param)
    yield channel
    assert 'AssertionError' not in worker.log and 'Traceback' not in worker.log, worker.log


@pytest.mark.parametrize('path,body', [('/', b'plain'), ('/write', b'written yielded'), ('/errors', b'plain'),
                                       ('/stream', b'a' + b'b' * 100000 + b'c')])
def test_get_is_valid(channel, path, body):
    for _ in range(3):
        answer = channel.ask(path)
        assert answer.ended and answer.body == body


def test_head_and_204_are_valid(channel):
    assert channel.ask('/', method='HEAD').ended and channel.ask('/stream', method='HEAD').ended
    assert channel.ask('/nothing').status == 204


@pytest.mark.parametrize('path', ['/read', '/lines', '/readlines', '/iterate'])
@pytest.mark.parametrize('length', [len(LINES), wire.UNKNOWN_LENGTH])
def test_every_way_to_read_is_valid(channel, path, length):
    headers = [('content-type', 'text/plain')]
    assert channel.ask(path, method='POST', body=LINES, length=length, headers=headers).body == LINES


def test_a_mounted_app_is_valid(channel):
    assert channel.ask('/app', script_name='/app', path_info='').body == b'plain'
    assert channel.ask('/app/stream', script_name='/app', path_info='/stream').ended


def test_many_requests_at_once_are_valid(channel):
    streams = [channel.open(target='/stream') for _ in range(16)]
    assert all(channel.wait_closed(stream).ended for stream in streams)
