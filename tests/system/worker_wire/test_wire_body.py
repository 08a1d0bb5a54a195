"""Exceptions of the app, streaming, and file_wrapper."""

import time

import pytest

import wire
from response_app import BEFORE_HEAD, SHORT_BODY

pytestmark = pytest.mark.sanitized


@pytest.mark.parametrize('exception', ['SystemExit(3)', 'KeyboardInterrupt()', 'BaseException("b")', 'ValueError("v")',
                                       'GeneratorExit()', 'MemoryError()', 'RecursionError()'])
def test_any_exception_is_a_500_and_the_worker_stays(app, exception):
    channel = app(f"raise {exception}")
    assert channel.ask(request_id='abc-123').abort == BEFORE_HEAD
    assert 'request abc-123' in app.worker.log and 'Traceback' in app.worker.log
    assert exception.partition('(')[0] in app.worker.log
    assert channel.ask('/events').status == 200


def test_an_endless_recursion_costs_only_its_request(app):
    channel = app('''
        def down(): return down()
        down()
    ''')
    assert channel.ask().abort == BEFORE_HEAD
    assert channel.ask('/events').status == 200


# --- streaming ------------------------------------------------------------------------------------------

def test_each_chunk_is_visible_before_the_next_one(app):
    channel = app('''
        import time
        start_response('200 OK', [])
        def body():
            for i in range(4):
                yield b'%d' % time.monotonic_ns()
                time.sleep(0.15)
        return body()
    ''')
    stream = channel.open(target='/')
    channel.wait_closed(stream)
    arrivals = [at for kind, number, at in channel.frames if kind == wire.DATA and number == stream]
    body = channel.answers[stream].body
    sent = [int(body[i:i + len(body) // 4]) / 1e9 for i in range(0, len(body), len(body) // 4)]
    assert len(arrivals) == 4
    assert all(arrived - yielded < 0.05 for arrived, yielded in zip(arrivals, sent))


def test_tiny_chunks_that_come_quickly_leave_together(app):
    channel = app("start_response('200 OK', []); return Body(*[b'x'] * 5000)")
    stream = channel.open(target='/')
    reads = 0
    while not channel.answers[stream].closed:
        channel.receive()
        reads += 1
    assert channel.answers[stream].body == b'x' * 5000 and reads < 500


def test_a_large_body_waits_for_credit_and_arrives_whole(app):
    channel = app("start_response('200 OK', []); return [bytes(range(256)) * 40960]")
    assert channel.ask().body == bytes(range(256)) * 40960


def test_never_more_is_sent_than_credit_allows(app):
    channel = app("start_response('200 OK', []); return Body(*[b'x' * 50000] * 20)")
    channel.auto_credit = False
    stream = channel.open(target='/')
    channel.wait(lambda: len(channel.answers[stream].body) == wire.WINDOW, 'the window')
    time.sleep(0.1)
    assert len(channel.answers[stream].body) == wire.WINDOW
    channel.give_credit(stream, 10)
    channel.wait(lambda: len(channel.answers[stream].body) == wire.WINDOW + 10, 'ten more')
    channel.auto_credit = True
    channel.give_credit(stream, wire.WINDOW)
    assert channel.wait_closed(stream).body == b'x' * 1000000


# --- file_wrapper ---------------------------------------------------------------------------------------

def test_file_wrapper_sends_from_the_current_offset_and_closes(app):
    channel = app('''
        import io
        class File(io.BytesIO):
            def close(self): events.append('closed'); super().close()
        f = File(b'\\0' + b'0123456789' * 100000); f.seek(5)
        start_response('200 OK', [])
        return environ['wsgi.file_wrapper'](f, 4096)
    ''')
    assert channel.ask().body == (b'\0' + b'0123456789' * 100000)[5:]
    assert eval(channel.ask('/events').body) == ['closed']


def test_file_wrapper_honours_a_shorter_content_length(app):
    channel = app('''
        import io
        start_response('200 OK', [('Content-Length', '4')])
        return environ['wsgi.file_wrapper'](io.BytesIO(b'0123456789'))
    ''')
    answer = channel.ask()
    assert answer.body == b'0123' and answer.ended and 'longer' not in app.worker.log


def test_file_wrapper_takes_anything_with_read(app):
    channel = app('''
        class Reader:
            def __init__(self): self.left = 3
            def read(self, n):
                self.left -= 1
                return b'ab' if self.left >= 0 else b''
        start_response('200 OK', [])
        return environ['wsgi.file_wrapper'](Reader())
    ''')
    assert channel.ask().body == b'ababab'


def test_a_file_that_shrank_aborts(app):
    channel = app('''
        import io
        start_response('200 OK', [('Content-Length', '100')])
        return environ['wsgi.file_wrapper'](io.BytesIO(b'short'))
    ''')
    assert channel.ask().abort == SHORT_BODY


def test_a_text_file_is_an_error(app):
    channel = app('''
        import io
        start_response('200 OK', [])
        return environ['wsgi.file_wrapper'](io.StringIO('text'))
    ''')
    assert channel.ask().abort == BEFORE_HEAD
    assert 'must be bytes' in app.worker.log


def test_file_wrapper_can_be_iterated_by_middleware(app):
    answer = app('''
        import io
        start_response('200 OK', [])
        return (block.upper() for block in environ['wsgi.file_wrapper'](io.BytesIO(b'abcdef'), 2))
    ''').ask()
    assert answer.body == b'ABCDEF'
