"""The queue and the request threads: order, latency, parallelism."""

import resource
import time

import pytest

import wire
from slow_app import SLOW, wait_entered
from test_wire_start import OK, THREADS, assert_failed


def test_prefetched_requests_run_in_order_and_their_answers_leave_together(start):
    _, channel = start.ready(SLOW)
    channel.wait(lambda: channel.hello, 'HELLO')
    base = channel.last
    batch = b''
    for i in range(16):
        channel.last += 1
        channel.answers[channel.last] = wire.Answer()
        batch += wire.frame(wire.REQUEST, channel.last, wire.request_payload(target=f'/{i}'), 1)
    channel.socket.sendall(batch)
    for i in range(16):
        assert channel.wait_closed(base + 1 + i).body == b'/%d' % i
    ends = [stream for kind, stream, _ in channel.frames if kind == wire.END]
    assert ends == sorted(ends)


def test_a_finished_answer_does_not_wait_for_a_slow_request_behind_it(start):
    _, channel = start.ready(SLOW)
    channel.ask()
    for _ in range(5):
        streams = []
        batch = b''
        for fields in ({'target': '/fast'}, {'target': '/sleep', 'query': '0.4'}):
            channel.last += 1
            channel.answers[channel.last] = wire.Answer()
            streams.append(channel.last)
            batch += wire.frame(wire.REQUEST, channel.last, wire.request_payload(**fields), 1)
        sent = time.monotonic()
        channel.socket.sendall(batch)
        channel.wait_closed(streams[0])
        assert time.monotonic() - sent < 0.1
        channel.wait_closed(streams[1])


@pytest.mark.parametrize('threads', [2, 8])
def test_threads_run_truly_at_the_same_time(start, threads):
    _, channel = start.ready('''
        import threading
        barrier = None
        def application(environ, start_response):
            global barrier
            start_response('200 OK', [])
            barrier.wait(10)
            return [str(threading.get_ident()).encode()]
        barrier = threading.Barrier(%d)
    ''' % threads, threads=threads)
    for _ in range(20):
        streams = [channel.open(target='/') for _ in range(threads)]
        answers = {channel.wait_closed(stream).body for stream in streams}
        assert len(answers) == threads


def test_eight_threads_that_sleep_reach_the_arithmetic_limit(start):
    _, channel = start.ready(SLOW, threads=8)
    channel.ask()
    begun = time.monotonic()
    streams = [channel.open(target='/sleep', query='0.02') for _ in range(200)]
    for stream in streams:
        channel.wait_closed(stream)
    assert time.monotonic() - begun < 200 / 8 * 0.02 * 1.6


def test_a_fast_request_passes_a_slow_one_on_another_thread(start):
    worker, channel = start.ready(SLOW, threads=2)
    for _ in range(200):
        channel.ask('/warm')  # the mean says: calls are short
    slow = channel.open(target='/sleep', query='1')
    wait_entered(worker)
    sent = time.monotonic()
    assert channel.ask('/fast').ended and time.monotonic() - sent < 0.2
    channel.wait_closed(slow)


def test_thread_locals_are_not_shared_and_the_main_thread_is_the_main_thread(start):
    _, channel = start.ready('''
        import threading, time
        local = threading.local()
        def application(environ, start_response):
            start_response('200 OK', [])
            mark = environ['QUERY_STRING']
            local.mark = mark
            time.sleep(0.05)
            return [repr((local.mark == mark, threading.main_thread().name, threading.main_thread().is_alive())).encode()]
    ''', threads=4)
    streams = [channel.open(target=f'/?{i}') for i in range(16)]
    assert {channel.wait_closed(stream).body for stream in streams} == {b"(True, 'MainThread', True)"}


def test_the_one_thread_is_the_main_thread(start):
    _, channel = start.ready('''
        import threading
        def application(environ, start_response):
            start_response('200 OK', [])
            return [str(threading.current_thread() is threading.main_thread()).encode()]
    ''')
    assert channel.ask().body == b'True'


def test_end_tells_the_service_time(start):
    _, channel = start.ready(SLOW)
    assert 30000 <= channel.ask('/sleep', query='0.03').service_us <= 60000
    assert channel.ask('/fast').service_us < 20000
    assert channel.ask('/sleep', query='0.1').service_us == 65535


COSTS = '''
    import time
    def application(environ, start_response):
        start_response('200 OK', [])
        ms = int(environ['QUERY_STRING'] or 0) / 1000
        if environ['PATH_INFO'] == '/sleep':
            time.sleep(ms)
        end = time.thread_time() + (ms if environ['PATH_INFO'] == '/spin' else 0)
        while time.thread_time() < end:
            pass
        return [b'x']
'''


def test_end_tells_which_part_of_the_time_was_spent_on_the_cpu_or_waiting_for_the_gil(start):
    """Shares in 200ths, and one; 0 is not known."""
    _, channel = start.ready(COSTS, threads=2)
    asleep = channel.ask('/sleep', query='200')
    assert 1 <= asleep.cpu <= 21 and asleep.gil_wait <= 21, (asleep.cpu, asleep.gil_wait)
    at_work = channel.ask('/spin', query='200')
    assert at_work.cpu >= 41, at_work.cpu  # the machine may be busy with others
    assert at_work.cpu >= 2 * asleep.cpu
    quick = [channel.ask('/quick') for _ in range(50)]
    assert any(answer.cpu == 0 for answer in quick), "who is quick does not pay for a clock"


def test_who_comes_while_another_request_has_the_gil_is_told_to_have_waited(start):
    _, channel = start.ready(COSTS, threads=2)
    channel.ask('/sleep', query='50')  # calls are long: a request gets a thread of its own
    spins = channel.open(target='/spin', query='400')
    waited = [channel.ask('/quick') for _ in range(10)]
    channel.wait_closed(spins)
    assert max(answer.gil_wait for answer in waited) >= 41, [answer.gil_wait for answer in waited]


def test_a_queued_request_that_is_given_up_never_runs(start):
    _, channel = start.ready(SLOW)
    first = channel.open(target='/sleep', query='0.3')
    second = channel.open(target='/never')
    channel.abort(second)
    channel.wait_closed(first)
    channel.wait_closed(second)
    assert channel.answers[second].kinds == [wire.END]
    assert channel.ask('/count').body == b'2'


def test_threads_that_cannot_start_are_a_named_failure(start):
    def little_room():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # less than 256 stacks
    assert_failed(start(OK, threads=256, preexec=little_room), THREADS, 'cannot start request thread', 'of 256')
