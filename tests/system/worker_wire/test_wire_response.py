"""start_response, write(), the iterable and Content-Length (PEP 3333, "Specification Details")."""

import pytest

import wire
from response_app import AFTER_HEAD, BEFORE_HEAD, SHORT_BODY

pytestmark = pytest.mark.sanitized


def test_a_list_of_one_gets_its_content_length(app):
    answer = app("start_response('200 OK', [('Content-Type', 'text/plain')]); return [b'hello']").ask()
    assert (answer.status, answer.reason, answer.body) == (200, 'OK', b'hello')
    assert answer.header('Content-Length') == '5' and answer.header('content-type') == 'text/plain'
    assert answer.ended and answer.kinds == [wire.RESPONSE, wire.DATA, wire.END]


def test_names_keep_their_letter_case(app):
    answer = app("start_response('200 OK', [('X-wEIRD', '1'), ('CONTENT-TYPE', 'a/b')]); return [b'']").ask()
    assert ('X-wEIRD', '1') in answer.headers and ('CONTENT-TYPE', 'a/b') in answer.headers


def test_an_empty_iterable_sends_the_head_and_no_body(app):
    for result in ('[]', "[b'']", "iter([b'', b''])", 'Body()'):
        answer = app(f"start_response('200 OK', []); return {result}").ask()
        assert answer.ended and answer.status == 200 and answer.body == b'' and answer.header('content-length') == '0'


def test_the_head_waits_for_the_first_chunk_that_is_not_empty(app):
    answer = app('''
        start_response('200 OK', [])
        def body():
            yield b''
            try: raise KeyError('late')
            except KeyError: start_response('500 Sorry', [('X', '1')], sys.exc_info())
            yield b'sorry'
        return body()
    ''').ask()
    assert (answer.status, answer.reason, answer.body) == (500, 'Sorry', b'sorry')


def test_start_response_may_be_called_while_iterating(app):
    answer = app('''
        def body():
            start_response('201 Created', [])
            yield b'x'
        return body()
    ''').ask()
    assert answer.status == 201 and answer.body == b'x'


def test_a_second_start_response_without_exc_info_is_an_error(app):
    channel = app("start_response('200 OK', []); start_response('200 OK', []); return [b'x']")
    assert channel.ask().abort == BEFORE_HEAD
    assert 'AssertionError' in app.worker.log


def test_exc_info_after_the_head_is_raised_again(app):
    channel = app('''
        write = start_response('200 OK', [])
        write(b'part')
        try: raise KeyError('original')
        except KeyError: start_response('500 Oops', [], sys.exc_info())
        return [b'never']
    ''')
    answer = channel.ask()
    assert answer.abort == AFTER_HEAD and answer.body == b'part' and answer.status == 200
    assert "KeyError: 'original'" in app.worker.log


def test_exc_info_by_keyword_is_taken(app):
    answer = app('''
        start_response('200 OK', [])
        try: raise KeyError
        except KeyError: start_response('503 Later', [], exc_info=sys.exc_info())
        return [b'x']
    ''').ask()
    assert answer.status == 503


def test_start_response_never_called_is_an_error(app):
    channel = app('return []')
    assert channel.ask().abort == BEFORE_HEAD
    assert 'without calling start_response' in app.worker.log
    channel = app("return [b'x']")
    assert channel.ask().abort == BEFORE_HEAD


@pytest.mark.parametrize('status', ['200', 'OK 200', '20 OK', '2000 OK', '100 Continue', '101 Switching Protocols',
                                    '600 X', '200 A\\r\\nB: c', '200 \\x00', '200 \\u20ac', '-12 X', '200 ' + 'x' * 200])
def test_a_status_that_breaks_the_rules_is_not_sent(app, status):
    channel = app(f"start_response('{status}', []); return [b'x']")
    answer = channel.ask()
    assert answer.abort == BEFORE_HEAD and answer.status is None
    assert 'ValueError: start_response: the status' in app.worker.log


@pytest.mark.parametrize('name,value', [
    ('A B', '1'), ('A:', '1'), ('', '1'), ('Ä', '1'), ('A', 'x\\r\\nB: y'), ('A', 'x\\n'), ('A', '\\x00'),
    ('A', '\\u20ac'), ('Connection', 'close'), ('Transfer-Encoding', 'chunked'), ('keep-alive', '1'), ('Upgrade', 'x'),
    ('TE', 'x'), ('Trailer', 'x'), ('Content-Length', '-1'), ('Content-Length', '+5'), ('Content-Length', '5, 5'),
    ('Content-Length', '5abc'), ('Content-Length', ''), ('A', 'x' * 17000)])
def test_a_header_that_breaks_the_rules_is_not_sent(app, name, value):
    channel = app(f"start_response('200 OK', [('{name}', '{value}')]); return [b'x']")
    answer = channel.ask()
    assert answer.abort == BEFORE_HEAD and answer.status is None
    assert 'ValueError: start_response: the header' in app.worker.log
    assert name in app.worker.log


@pytest.mark.parametrize('headers', ["(('A', 'b'),)", "{'A': 'b'}", "[['A', 'b']]", "[('A', 'b', 'c')]", "[(b'A', b'b')]",
                                     "[('A', 1)]", 'None'])
def test_headers_that_are_not_a_list_of_pairs_of_str_are_a_type_error(app, headers):
    channel = app(f"start_response('200 OK', {headers}); return [b'x']")
    assert channel.ask().abort == BEFORE_HEAD
    assert 'TypeError: start_response: ' in app.worker.log


def test_two_content_lengths_are_refused(app):
    channel = app("start_response('200 OK', [('Content-Length', '1'), ('content-length', '1')]); return [b'x']")
    assert channel.ask().abort == BEFORE_HEAD


def test_an_error_in_start_response_can_be_caught_and_corrected(app):
    answer = app('''
        try: start_response('200 OK', [('A B', '1')])
        except ValueError: start_response('200 OK', [('A-B', '1')])
        return [b'x']
    ''').ask()
    assert answer.status == 200 and answer.header('A-B') == '1'


def test_cookies_and_challenges_stay_separate(app):
    answer = app("start_response('200 OK', [('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('WWW-Authenticate', 'A'),"
                 " ('WWW-Authenticate', 'B')]); return [b'']").ask()
    assert [value for name, value in answer.headers if name == 'set-cookie'] == ['a=1', 'b=2']
    assert [value for name, value in answer.headers if name == 'WWW-Authenticate'] == ['A', 'B']


def test_a_location_with_status_200_is_passed_through(app):
    answer = app("start_response('200 OK', [('Location', '/x')]); return [b'y']").ask()
    assert answer.status == 200 and answer.header('location') == '/x' and answer.body == b'y'


def test_ninety_nine_headers_pass_and_a_hundred_do_not(app):
    answer = app("start_response('200 OK', [('X-%d' % i, 'y') for i in range(99)]); return [b'']").ask()
    assert len(answer.headers) == 100
    assert app("start_response('200 OK', [('X-%d' % i, 'y') for i in range(100)]); return [b'']").ask().abort == 17


# --- write ----------------------------------------------------------------------------------------------

def test_write_comes_before_the_iterable(app):
    answer = app("write = start_response('200 OK', []); write(b'a'); write(b''); write(b'b'); return [b'c']").ask()
    assert answer.body == b'abc' and answer.ended


def test_write_of_str_is_a_type_error(app):
    channel = app("start_response('200 OK', [])('text'); return []")
    assert channel.ask().abort == BEFORE_HEAD
    assert 'TypeError: write() takes bytes, not str' in app.worker.log


def test_write_and_start_response_after_the_request_raise_and_harm_nobody(app):
    channel = app('''
        if environ['PATH_INFO'] == '/keep':
            events.append(start_response); events.append(start_response('200 OK', []))
            return [b'kept']
        outcomes = []
        for use in (lambda: events[0]('200 OK', []), lambda: events[1](b'intruder')):
            try: use(); outcomes.append('no error')
            except RuntimeError as error: outcomes.append(str(error))
        start_response('200 OK', [])
        return [repr(outcomes).encode()]
    ''')
    assert channel.ask('/keep').body == b'kept'
    assert eval(channel.ask('/').body) == ['start_response was used after its request ended',
                                           'write() was used after its request ended']


# --- the iterable ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('result,named', [('None', 'NoneType'), ("'text'", 'str'), ("['text']", 'str'), ('[1]', 'int'),
                                          ("b'bytes'", 'bytes'), ("iter(['t'])", 'str'), ('5', 'int'),
                                          ("[bytearray(b'x')]", 'bytearray')])
def test_what_is_no_iterable_of_bytes_is_an_error_that_names_it(app, result, named):
    channel = app(f"start_response('200 OK', []); return {result}")
    assert channel.ask().abort == BEFORE_HEAD
    assert 'TypeError' in app.worker.log and named in app.worker.log
    assert channel.ask('/events').status == 200


def test_a_generator_that_fails_before_its_first_chunk_is_a_500(app):
    channel = app("start_response('200 OK', []); return Body(KeyError('early'))")
    answer = channel.ask()
    assert answer.abort == BEFORE_HEAD and answer.status is None
    assert eval(channel.ask('/events').body) == ['close']


def test_a_generator_that_fails_later_aborts_visibly(app):
    channel = app("start_response('200 OK', []); return Body(b'one', KeyError('late'))")
    answer = channel.ask()
    assert answer.abort == AFTER_HEAD and answer.body == b'one' and not answer.ended
    assert "KeyError: 'late'" in app.worker.log
    assert eval(channel.ask('/events').body) == ['close']


def test_close_is_called_once_at_a_normal_end_and_for_head(app):
    channel = app("start_response('200 OK', []); return Body(b'a', b'b')")
    assert channel.ask().body == b'ab'
    assert eval(channel.ask('/events').body) == ['close']
    answer = channel.ask(method='HEAD')
    assert answer.ended and answer.body == b''
    assert eval(channel.ask('/events').body) == ['close', 'close']


def test_a_close_that_raises_is_only_logged(app):
    channel = app('''
        start_response('200 OK', [])
        class Bad(list):
            def close(self): raise KeyError('in close')
        return Bad([b'x'])
    ''')
    answer = channel.ask()
    assert answer.ended and answer.body == b'x'
    assert "KeyError: 'in close'" in app.worker.log


def test_the_client_going_away_stops_the_generator_and_closes_it(app):
    channel = app('''
        import time
        start_response('200 OK', [])
        class Endless(Body):
            def __next__(self):
                time.sleep(0.002)
                return b'x' * 10
        return Endless()
    ''')
    stream = channel.open(target='/')
    channel.wait(lambda: channel.answers[stream].body, 'the first chunk')
    channel.abort(stream)
    channel.wait_closed(stream, deadline=2)
    assert eval(channel.ask('/events').body) == ['close']


def test_the_client_going_away_stops_write(app):
    channel = app('''
        import time
        write = start_response('200 OK', [])
        try:
            while True: write(b'x'); time.sleep(0.001)
        except OSError as error: events.append(type(error).__name__)
        return []
    ''')
    stream = channel.open(target='/')
    channel.wait(lambda: channel.answers[stream].body, 'the first chunk')
    channel.abort(stream)
    channel.wait_closed(stream, deadline=2)
    assert eval(channel.ask('/events').body) == ['BrokenPipeError']


# --- Content-Length -------------------------------------------------------------------------------------

def test_excess_over_content_length_is_cut_with_a_warning(app):
    for result in ("[b'hello world']", "Body(b'hel', b'lo wo', b'rld')"):
        channel = app(f"start_response('200 OK', [('Content-Length', '5')]); return {result}")
        answer = channel.ask()
        assert answer.body == b'hello' and answer.ended
        assert 'longer than its Content-Length' in app.worker.log


def test_a_body_short_of_content_length_is_aborted(app):
    for result in ("[b'abc']", "Body(b'a', b'bc')", '[]'):
        channel = app(f"start_response('200 OK', [('Content-Length', '5')]); return {result}")
        answer = channel.ask()
        assert answer.abort == SHORT_BODY and answer.status == 200
        assert 'shorter than its Content-Length' in app.worker.log


def test_head_keeps_content_length_and_has_no_body(app):
    answer = app("start_response('200 OK', [('Content-Length', '5')]); return [b'hello']").ask(method='HEAD')
    assert answer.ended and answer.body == b'' and answer.header('content-length') == '5'
    answer = app("start_response('200 OK', [('Content-Length', '5')]); return []").ask(method='HEAD')
    assert answer.ended and answer.header('content-length') == '5'
    answer = app("start_response('200 OK', []); return [b'hello']").ask(method='HEAD')
    assert answer.ended and answer.header('content-length') == '5'
    answer = app("start_response('200 OK', []); return []").ask(method='HEAD')
    assert answer.ended and answer.header('content-length') is None


@pytest.mark.parametrize('status', ['204 No Content', '304 Not Modified'])
def test_204_and_304_have_no_body_even_if_the_app_gives_one(app, status):
    answer = app(f"start_response('{status}', []); return [b'unwanted']").ask()
    assert answer.ended and answer.body == b'' and answer.header('content-length') is None
