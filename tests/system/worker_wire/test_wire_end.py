"""The end of a worker: DRAIN, SIGTERM, nobody left."""

import struct
import time

import pytest

import wire
from slow_app import SLOW, wait_entered

pytestmark = [pytest.mark.sanitized, pytest.mark.pythons('every')]


def test_drain_finishes_what_was_taken_and_exits(start):
    worker, channel = start.ready(SLOW + '''
    import atexit
    atexit.register(lambda: print('atexit ran'))
    ''')
    second = worker.add_channel(number=1)
    stream = channel.open(target='/sleep', query='0.3')
    wait_entered(worker)
    worker.drain()
    channel.wait(lambda: channel.drained is not None, 'DRAIN', deadline=0.25)
    assert channel.drained == stream and not channel.answers[stream].closed
    second.wait(lambda: second.drained is not None, 'DRAIN')
    assert second.drained == 0
    assert channel.wait_closed(stream).body == b'/sleep'
    assert worker.record() == (wire.DRAINED, 0)
    assert worker.wait_exit() == 0
    assert 'atexit ran' in worker.log


def test_requests_after_drain_are_left_to_others(start):
    worker, channel = start.ready(SLOW)
    stream = channel.open(target='/sleep', query='0.2')
    wait_entered(worker)
    worker.drain()
    channel.wait(lambda: channel.drained is not None, 'DRAIN')
    late = channel.open(target='/late', method='POST', body=b'', length=3)
    channel.send_body(late, b'abc')
    channel.wait_closed(stream)
    assert worker.wait_exit() == 0
    assert channel.answers[late].kinds == []


def test_a_channel_that_comes_during_drain_is_told(start):
    worker, channel = start.ready(SLOW)
    channel.open(target='/sleep', query='0.3')
    wait_entered(worker)
    worker.drain()
    channel.wait(lambda: channel.drained is not None, 'DRAIN')
    late = worker.add_channel()
    late.wait(lambda: late.drained is not None, 'DRAIN')
    assert late.drained == 0
    assert worker.wait_exit() == 0


@pytest.mark.parametrize('threads', [1, 4])
def test_an_idle_worker_drains_at_once(start, threads):
    worker, channel = start.ready(SLOW, threads=threads)
    channel.ask()
    worker.drain()
    assert worker.record(2) == (wire.DRAINED, 0) and worker.wait_exit(2) == 0


@pytest.mark.parametrize('threads', [1, 4])
def test_sigterm_drains(start, threads):
    worker, channel = start.ready(SLOW, threads=threads)
    stream = channel.open(target='/sleep', query='0.3')
    wait_entered(worker)
    worker.process.terminate()
    assert channel.wait_closed(stream).body == b'/sleep'
    assert worker.record() == (wire.DRAINED, 0) and worker.wait_exit() == 0


def test_sigterm_does_not_wait_for_ever(start):
    worker, channel = start.ready(SLOW)
    channel.open(target='/sleep', query='60')
    wait_entered(worker)
    begun = time.monotonic()
    worker.process.terminate()
    assert worker.wait_exit(10) == 0 and time.monotonic() - begun < 6
    assert 'did not end in time' in worker.log


def test_threads_and_exit_functions_that_hang_are_left(start):
    worker, _ = start.ready(SLOW + '''
    threading.Thread(target=lambda: time.sleep(60)).start()
    threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
    ''')
    worker.drain()
    assert worker.record(10) == (wire.DRAINED, 0) and worker.wait_exit() == 0


def test_a_daemon_thread_does_not_hold_up_the_end_and_others_are_joined(start):
    worker, _ = start.ready(SLOW + '''
    threading.Thread(target=lambda: time.sleep(60), daemon=True).start()
    threading.Thread(target=lambda: (time.sleep(0.5), print('joined'))).start()
    ''')
    begun = time.monotonic()
    worker.drain()
    assert worker.wait_exit() == 0 and time.monotonic() - begun < 3
    assert 'joined' in worker.log


def test_without_its_supervisor_the_worker_serves_on(start):
    worker, channel = start.ready(SLOW)
    worker.lifeline.close()
    for _ in range(5):
        assert channel.ask('/on').body == b'/on'
    assert worker.process.poll() is None


def test_a_worker_that_nobody_can_reach_any_more_ends(start):
    worker, channel = start.ready(SLOW)
    channel.ask()
    worker.lifeline.close()
    channel.ask()
    channel.socket.close()
    assert worker.wait_exit(5) == 0


def test_strange_records_on_the_lifeline_are_ignored(start):
    worker, channel = start.ready(SLOW)
    for record in (b'x', b'x' * 16, b'x' * 100, struct.pack('<HHIQ', 2, 1, 0, 0), struct.pack('<HHIQ', wire.CHANNEL, 1, 0, 0),
                   struct.pack('<HHIQ', wire.LIFELINE_DRAIN, 2, 0, 0)):
        worker.lifeline.send(record)
    assert channel.ask('/on').body == b'/on'
