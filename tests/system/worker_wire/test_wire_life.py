"""The life of a worker: channels, DRAIN, SIGTERM, ends of file, children of the app, threads."""

import os
import pathlib
import signal
import socket
import struct
import time

import pytest

import wire

SLOW = '''
    import time, threading
    entered = 0
    def application(environ, start_response):
        global entered
        entered += 1
        start_response('200 OK', [])
        if environ['PATH_INFO'] == '/sleep':
            print('entered')
            time.sleep(float(environ['QUERY_STRING']))
        if environ['PATH_INFO'] == '/count': return [str(entered).encode()]
        return [environ['PATH_INFO'].encode()]
'''


def wait_entered(worker):
    """Until the app is inside its /sleep."""
    wire.wait_until(lambda: 'entered' in worker.log, 'the call of the app')


def descriptors(pid):
    names = {}
    for entry in os.scandir(f'/proc/{pid}/fd'):
        try:
            names[int(entry.name)] = os.readlink(entry.path)
        except FileNotFoundError:
            pass
    return names


def is_running(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().split(')')[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


# --- channels -------------------------------------------------------------------------------------------

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


# --- queue and threads ----------------------------------------------------------------------------------

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


def test_a_queued_request_that_is_given_up_never_runs(start):
    _, channel = start.ready(SLOW)
    first = channel.open(target='/sleep', query='0.3')
    second = channel.open(target='/never')
    channel.abort(second)
    channel.wait_closed(first)
    channel.wait_closed(second)
    assert channel.answers[second].kinds == [wire.END]
    assert channel.ask('/count').body == b'2'


# --- the end --------------------------------------------------------------------------------------------

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
    for record in (b'x', b'x' * 16, struct.pack('<HHIQ', 2, 1, 0, 0), struct.pack('<HHIQ', wire.CHANNEL, 1, 0, 0),
                   struct.pack('<HHIQ', wire.LIFELINE_DRAIN, 2, 0, 0)):
        worker.lifeline.send(record)
    assert channel.ask('/on').body == b'/on'


# --- what the app's processes inherit -------------------------------------------------------------------

def test_children_have_default_signals_and_none_of_our_descriptors(start):
    _, channel = start.ready('''
        import subprocess
        def application(environ, start_response):
            start_response('200 OK', [])
            done = subprocess.run(['/bin/sh', '-c', 'ls /proc/self/fd | sort -n | tr "\\n" " "; echo; '
                                   'grep -E "Sig(Blk|Ign)" /proc/self/status'], stdout=subprocess.PIPE, close_fds=False)
            assert subprocess.run(['/bin/true']).returncode == 0
            return [done.stdout]
    ''', threads=2)
    lines = channel.ask().body.decode().splitlines()
    assert lines[0].split()[:3] == ['0', '1', '2'] and len(lines[0].split()) <= 4
    ordinary = 0x7fffffff  # 32 and 33 belong to the C library
    assert [int(line.split()[1], 16) & ordinary for line in lines[1:3]] == [0, 0]


def test_a_forked_child_of_the_app_does_not_answer_or_hold_channels(start):
    worker, channel = start.ready('''
        import os, time
        def application(environ, start_response):
            pid = os.fork()
            if pid == 0:
                if environ['PATH_INFO'] == '/stay': time.sleep(30)
                start_response('200 OK', [])
                return [b'child']
            start_response('200 OK', [])
            return [str(pid).encode()]
        import atexit
        atexit.register(lambda: print('atexit of', os.getpid()))
    ''')
    child = int(channel.ask('/').body)
    wire.wait_until(lambda: not is_running(child), 'the child to leave')
    assert f'atexit of {child}' not in worker.log
    child = int(channel.ask('/stay').body)
    links = [link for link in descriptors(child).values() if 'socket' in link or 'anon_inode' in link]
    assert links == []
    os.kill(child, signal.SIGTERM)
    wire.wait_until(lambda: not is_running(child), 'the child to die of SIGTERM')
    assert channel.drained is None and channel.ask('/').ended


def test_multiprocessing_by_fork_works_and_terminating_it_does_not_drain(start):
    _, channel = start.ready('''
        import multiprocessing, time
        context = multiprocessing.get_context('fork')
        def application(environ, start_response):
            start_response('200 OK', [])
            queue = context.SimpleQueue()
            one = context.Process(target=queue.put, args=(42,)); one.start(); one.join()
            two = context.Process(target=time.sleep, args=(60,)); two.start(); two.terminate(); two.join()
            return [repr((queue.get(), one.exitcode, two.exitcode)).encode()]
    ''')
    assert eval(channel.ask().body) == (42, 0, -15)
    assert channel.ask().ended and channel.drained is None


def test_sys_exit_in_a_forked_child_is_its_exit_status(start):
    _, channel = start.ready('''
        import os, sys
        def application(environ, start_response):
            pid = os.fork()
            if pid == 0: sys.exit(7)
            start_response('200 OK', [])
            return [str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, 'waitstatus_to_exitcode')
                        else os.waitpid(pid, 0)[1] >> 8).encode()]
    ''')
    assert channel.ask().body == b'7'


def test_signal_handlers_of_the_app_run_while_it_is_idle(start):
    worker, channel = start.ready(SLOW + '''
    import signal
    signal.signal(signal.SIGUSR1, lambda number, frame: print('handled', number))
    ''')
    channel.ask()
    worker.process.send_signal(signal.SIGUSR1)
    wire.wait_until(lambda: 'handled' in worker.log, 'the handler')
    assert channel.ask('/on').body == b'/on'


def test_what_the_app_prints_is_in_the_log_at_once(start):
    worker, channel = start.ready('''
        import sys
        def application(environ, start_response):
            start_response('200 OK', [])
            print('to stdout'); print('to stderr', file=sys.stderr)
            environ['wsgi.errors'].write('to errors\\n'); environ['wsgi.errors'].flush()
            environ['wsgi.errors'].writelines(['one\\n', 'two\\n'])
            assert environ['wsgi.errors'].isatty() is False
            return [b'x']
    ''')
    assert channel.ask().ended
    for text in ('to stdout\n', 'to stderr\n', 'to errors\n', 'one\ntwo\n'):
        assert text in worker.log


# --- deaths ---------------------------------------------------------------------------------------------

def test_a_forbidden_system_call_is_reported_before_death(start):
    worker, channel = start.ready('''
        import ctypes, struct
        def application(environ, start_response):
            libc = ctypes.CDLL(None, use_errno=True)
            # allow everything but getsid (124 on x86-64): trap
            nr = 124
            program = b''.join(struct.pack('<HBBI', *line) for line in [
                (0x20, 0, 0, 0), (0x15, 0, 1, nr), (0x06, 0, 0, 0x00030000), (0x06, 0, 0, 0x7fff0000)])
            buffer = ctypes.create_string_buffer(program, len(program))
            fprog = struct.pack('HxxxxxxP', 4, ctypes.addressof(buffer))
            assert libc.prctl(38, 1, 0, 0, 0) == 0
            assert libc.prctl(22, 2, ctypes.c_char_p(fprog)) == 0
            libc.getsid(0)
    ''')
    channel.open(target='/')
    assert worker.record() == (wire.SECCOMP, 124)
    assert worker.wait_exit() == -signal.SIGSYS


def test_a_crash_ends_the_worker_by_its_signal(start):
    worker, channel = start.ready('''
        import ctypes
        def application(environ, start_response): ctypes.string_at(0)
    ''')
    channel.open(target='/')
    assert worker.wait_exit() == -signal.SIGSEGV
    with pytest.raises(AssertionError, match='closed the channel'):
        channel.wait(lambda: False, 'nothing')
