"""wsgi.input (PEP 3333, "Input and Error Streams"), request bodies and credit."""

import hashlib
import time

import pytest

import wire

pytestmark = pytest.mark.sanitized

READ = '''
    import hashlib
    def attempt(function, *arguments):
        try: return function(*arguments)
        except Exception as error: return type(error).__name__
    def application(environ, start_response):
        body = environ['wsgi.input']
        start_response('200 OK', [])
        return [repr(eval(environ['QUERY_STRING'].replace('%20', ' '))).encode()]
'''
LINES = b'first\nsecond line\n\nlast'


@pytest.fixture
def evaluate(start):
    """evaluate(expression, body) -> what the expression gives in an app whose wsgi.input is `body`."""
    worker, channel = start.ready(READ)

    def ask(expression, body, **fields):
        answer = channel.ask('/', method='POST', body=body, query=expression, **fields)
        assert answer.ended, worker.log
        return eval(answer.body)
    return ask


@pytest.mark.parametrize('length', ['known', 'unknown'])
@pytest.mark.parametrize('expression,expected', [
    ('body.read()', LINES), ('body.read(-1)', LINES), ('body.read(None)', LINES), ('body.read(0)', b''),
    ('body.read(5)', b'first'), ('body.read(1000)', LINES), ('[body.read(3),body.read(3)]', [b'fir', b'st\n']),
    ('[body.read(),body.read(),body.read(1),body.readline()]', [LINES, b'', b'', b'']),
    ('body.readline()', b'first\n'), ('body.readline(3)', b'fir'), ('body.readline(100)', b'first\n'),
    ('body.readline(6)', b'first\n'), ('body.readline(0)', b''), ('body.readline(-1)', b'first\n'),
    ('body.readlines()', [b'first\n', b'second line\n', b'\n', b'last']), ('body.readlines(7)', [b'first\n', b'second line\n']),
    ('list(body)', [b'first\n', b'second line\n', b'\n', b'last']),
    ('[next(body),body.read(3),body.readline()]', [b'first\n', b'sec', b'ond line\n']),
    ('iter(body)is(body)', True)])
def test_input_behaves_as_a_file(evaluate, expression, expected, length):
    fields = {'length': wire.UNKNOWN_LENGTH} if length == 'unknown' else {}
    assert evaluate(expression, LINES, **fields) == expected


def test_wrong_arguments_are_refused(evaluate):
    source = "[attempt(body.read,'x'),attempt(body.read,1,2),attempt(body.readline,1.5),attempt(body.read,2**70)]"
    assert evaluate(source, b'x') == ['TypeError', 'TypeError', 'TypeError', 'OverflowError']


def test_a_request_without_body_reads_as_empty(start):
    _, channel = start.ready(READ)
    assert eval(channel.ask('/', query='[body.read(),body.readline(),list(body)]').body) == [b'', b'', []]


def test_an_upload_of_twenty_mebibytes_arrives_identical(evaluate):
    body = bytes(range(256)) * (20 * 4096)
    assert evaluate('hashlib.sha256(body.read()).hexdigest()', body) == hashlib.sha256(body).hexdigest()
    assert evaluate('sum(len(line) for line in body)', body) == len(body)
    assert evaluate('len(body.read())', body, length=wire.UNKNOWN_LENGTH) == len(body)


def test_a_line_longer_than_the_window_is_read_whole(evaluate):
    assert evaluate('[len(line) for line in body]', b'x' * 1000000 + b'\n' + b'y') == [1000001, 1]


def test_body_that_comes_byte_by_byte_is_read_whole(start):
    _, channel = start.ready(READ)
    stream = channel.open(body=b'', method='POST', target='/', query='body.read()', length=20)
    for i in range(20):
        channel.send_body(stream, b'%d' % (i % 10), last=i == 19)
    assert eval(channel.wait_closed(stream).body) == b'01234567890123456789'


def test_the_app_is_called_before_the_body_is_complete(start):
    _, channel = start.ready('''
        def application(environ, start_response):
            start_response('200 OK', [])
            yield environ['wsgi.input'].read(3)
            yield environ['wsgi.input'].read()
    ''')
    stream = channel.open(body=b'', method='POST', target='/', length=6)
    channel.send_body(stream, b'abc', last=False)
    channel.wait(lambda: channel.answers[stream].body == b'abc', 'the first part')
    channel.send_body(stream, b'def')
    assert channel.wait_closed(stream).body == b'abcdef'


def test_a_client_that_goes_away_raises_oserror(start):
    worker, channel = start.ready('''
        outcome = []
        def application(environ, start_response):
            start_response('200 OK', [])
            if environ['REQUEST_METHOD'] == 'GET': return [repr(outcome).encode()]
            try: outcome.append(environ['wsgi.input'].read())
            except OSError as error: outcome.append(type(error).__name__)
            return [b'unseen']
    ''')
    stream = channel.open(body=b'', method='POST', target='/', length=100)
    channel.send_body(stream, b'part', last=False)
    channel.wait(lambda: wire.START in channel.answers[stream].kinds, 'START')
    channel.abort(stream)
    channel.wait_closed(stream, deadline=2)
    assert eval(channel.ask().body) == ['ConnectionResetError']


def test_that_oserror_is_no_fault_of_the_app(start):
    worker, channel = start.ready('''
        def application(environ, start_response):
            start_response('200 OK', [])
            return [environ['wsgi.input'].read()]
    ''')
    stream = channel.open(body=b'', method='POST', target='/', length=100, request_id='r77')
    channel.wait(lambda: wire.START in channel.answers[stream].kinds, 'START')
    channel.abort(stream)
    channel.wait_closed(stream, deadline=2)
    assert 'Traceback' not in worker.log and 'request r77: the client went away' in worker.log


def test_body_that_is_not_read_does_not_disturb_the_next_request(start):
    _, channel = start.ready(READ)
    for _ in range(3):
        assert channel.ask('/', method='POST', body=b'x' * 100000, query='1').body == b'1'
    assert eval(channel.ask('/', method='POST', body=b'mine', query='body.read()').body) == b'mine'


def test_body_frames_that_crossed_end_are_discarded(start):
    _, channel = start.ready(READ)
    stream = channel.open(body=b'', method='POST', target='/', query='1', length=10)
    assert channel.wait_closed(stream).body == b'1'
    channel.send(wire.frame(wire.BODY, stream, b'0123456789', 1))
    assert channel.ask('/', query='2').body == b'2'


def test_use_after_the_request_raises(start):
    _, channel = start.ready('''
        kept = []
        def application(environ, start_response):
            start_response('200 OK', [])
            if not kept:
                kept.append(environ['wsgi.input'])
                return [b'kept']
            outcomes = []
            for use in (kept[0].read, kept[0].readline, kept[0].readlines, kept[0].__next__):
                try: outcomes.append(use())
                except ValueError as error: outcomes.append(str(error))
            return [repr((set(outcomes), environ['wsgi.input'].read())).encode()]
    ''')
    channel.ask('/', method='POST', body=b'first')
    outcomes, body = eval(channel.ask('/', method='POST', body=b'second').body)
    assert outcomes == {'wsgi.input was used after its request ended'} and body == b'second'


@pytest.mark.parametrize('threads', [1, 3])
def test_a_large_response_and_a_large_upload_at_once_do_not_block_each_other(start, threads):
    _, channel = start.ready('''
        def application(environ, start_response):
            start_response('200 OK', [])
            body = environ['wsgi.input']
            while True:
                part = body.read(70000)
                if not part: return
                yield part
    ''', threads=threads)
    data = bytes(range(256)) * 20000
    stream = channel.open(body=b'', method='POST', target='/', length=len(data))
    channel.send_body(stream, data)
    assert channel.wait_closed(stream).body == data


@pytest.mark.parametrize('threads', [1, 3])
def test_an_early_large_answer_while_the_upload_goes_on_is_delivered(start, threads):
    _, channel = start.ready('''
        def application(environ, start_response):
            start_response('200 OK', [])
            return [b'x' * 3000000]
    ''', threads=threads)
    stream = channel.open(body=b'', method='POST', target='/', length=10000000)
    channel.send_body(stream, b'u' * 200000, last=False)
    assert channel.wait_closed(stream).body == b'x' * 3000000
    assert channel.ask('/').status == 200


def test_a_thread_of_the_app_may_read_the_body(start):
    _, channel = start.ready('''
        import threading
        def application(environ, start_response):
            got = []
            thread = threading.Thread(target=lambda: got.append(environ['wsgi.input'].read()))
            thread.start()
            thread.join()
            start_response('200 OK', [])
            return got
    ''')
    stream = channel.open(body=b'', method='POST', target='/', length=6)
    channel.send_body(stream, b'abc', last=False)
    time.sleep(0.1)
    channel.send_body(stream, b'def')
    assert channel.wait_closed(stream).body == b'abcdef'


def test_a_thread_of_the_app_that_still_reads_when_the_request_ends_gets_an_error(start):
    _, channel = start.ready('''
        import threading
        outcome = []
        def application(environ, start_response):
            global thread
            start_response('200 OK', [])
            if environ['REQUEST_METHOD'] == 'GET':
                thread.join(5)
                return [repr(outcome).encode()]
            def read():
                try: outcome.append(environ['wsgi.input'].read())
                except (OSError, ValueError) as error: outcome.append(type(error).__name__)
            thread = threading.Thread(target=read)
            thread.start()
            import time; time.sleep(0.1)
            return [b'left early']
    ''')
    stream = channel.open(body=b'', method='POST', target='/', length=6)
    assert channel.wait_closed(stream).body == b'left early'
    assert eval(channel.ask('/').body) in (['ConnectionResetError'], ['ValueError'])


# --- START ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'TRACE'])
def test_start_is_written_before_the_app_is_called(start, method):
    _, channel = start.ready('''
        import time
        def application(environ, start_response):
            time.sleep(0.3)
            start_response('200 OK', [])
            return [b'x']
    ''')
    stream = channel.open(target='/', method=method)
    sent = time.monotonic()
    channel.wait(lambda: channel.answers[stream].kinds, 'START')
    assert channel.answers[stream].kinds == [wire.START] and time.monotonic() - sent < 0.25
    assert channel.wait_closed(stream).kinds == [wire.START, wire.RESPONSE, wire.DATA, wire.END]


@pytest.mark.parametrize('method', ['GET', 'HEAD', 'OPTIONS'])
def test_safe_methods_need_no_start(start, method):
    _, channel = start.ready(READ)
    assert channel.ask('/', method=method, query='1').kinds[0] == wire.RESPONSE
