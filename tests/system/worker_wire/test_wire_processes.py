"""What the app's processes inherit, signals, output, deaths."""

import os
import signal

import pytest

import wire
from slow_app import SLOW, descriptors, is_running

pytestmark = pytest.mark.pythons('every')


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
    wire.wait_until(lambda: not [link for link in descriptors(child).values() if 'socket' in link or 'anon' in link],
                    'the child to close what is not its own')
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
