"""Several apps in one worker of every Python that was built: a channel and a log for each, one process for all."""
import json
import signal
import subprocess
import textwrap
import threading
import time

import pytest

import wire
from wire import ASGI, DRAINED, FAILED, WSGI

IMPORT, INTERPRETER = 5, 4
STACKS_SIGNAL = 40
TELL = '''
    import json, os, subprocess, sys, threading, time
    import name
    held = None
    def tell():
        return json.dumps({"pid": os.getpid(), "name": name.NAME, "cwd": os.getcwd(), "path": sys.path[0], "modules": id(sys.modules), "now": time.monotonic(), "held": held,
                           "who": os.environ.get("WHO"), "late": os.environ.get("LATE"),
                           "child": subprocess.run(["sh", "-c", "echo $WHO; pwd"], capture_output=True, text=True).stdout.split()}).encode()
    def act(environ):
        path = environ['PATH_INFO']
        if path == '/set': os.environ["LATE"] = name.NAME
        if path == '/say': print('said by ' + name.NAME); os.write(2, b'raw of ' + name.NAME.encode() + b'\\n')
        if path == '/fail': raise RuntimeError('failure of ' + name.NAME)
        if path == '/import': __import__(environ['QUERY_STRING'])
        if path == '/sleep': exec(f"def sleep_of_{name.NAME}():\\n import time; time.sleep(3)\\nsleep_of_{name.NAME}()", {})
        if path == '/hold':
            import re
            global held
            print('holding')
            begun = time.monotonic()
            re.match('(a+)+$', 'a' * 25 + 'b')
            held = begun, time.monotonic()
        return tell()
    def application(environ, start_response):
        body = act(environ)
        start_response('200 OK', [])
        return [body]
    async def asgi(scope, receive, send):
        assert scope['type'] == 'http'
        await send({'type': 'http.response.start', 'status': 200})
        await send({'type': 'http.response.body', 'body': act({'PATH_INFO': scope['path'], 'QUERY_STRING': ''})})
    import atexit
    atexit.register(lambda: print('end of ' + name.NAME))
'''


class Share:
    """A worker of the apps a, b ...; channels by name."""

    def __init__(self, start, tmp_path, python, apps, files=None, **fields):
        self.names, self.home = list(apps), tmp_path / 'share'
        parts = []
        for name, kind in apps.items():
            directory = self.home / name
            directory.mkdir(parents=True)
            (directory / 'app.py').write_text(textwrap.dedent(TELL))
            (directory / 'name.py').write_text((files or {}).get(name, '') + f'\nNAME = "{name}"\n')
            parts.append(wire.worker_part(directory, 'app:asgi' if kind == ASGI else 'app:application', app=name, interface=kind,
                                          python=python[0], env={'WHO': name, 'COMMON': 'x'}, **fields))
        self.worker = start(part=wire.share_part(*parts))
        for index in range(1, len(apps)):
            self.worker.give_log(index, self.home / f'log{index}')

    def log(self, name):
        index = self.names.index(name)
        return (self.home / f'log{index}').read_text() if index else self.worker.log

    def serve(self):
        self.ready = self.worker.wait_ready()
        self.channels = {name: self.worker.add_channel(number=index << 16) for index, name in enumerate(self.names)}
        return self

    def tell(self, name, path='/'):
        answer = self.channels[name].ask(path)
        assert answer.status == 200, (answer.status, answer.abort, self.log(name))
        return json.loads(answer.body)


@pytest.fixture
def share(start, tmp_path, python):
    return lambda apps=None, **fields: Share(start, tmp_path, python, apps or {'a': WSGI, 'b': WSGI}, **fields)


def test_each_app_has_its_own_interpreter_directory_and_environment(share):
    apps = share({'a': WSGI, 'b': WSGI, 'c': ASGI}).serve()
    assert apps.ready >> 16 == 0b100
    apps.tell('a', '/set')
    told = {name: apps.tell(name) for name in 'abc'}
    assert {each['pid'] for each in told.values()} == {apps.worker.process.pid}
    assert len({each['modules'] for each in told.values()}) == 3
    for name, each in told.items():
        home = str(apps.home / name)
        assert (each['name'], each['cwd'], each['path'], each['who']) == (name, home, home, name)
        assert each['child'] == [name, home] and each['late'] == ('a' if name == 'a' else None)


def test_each_app_has_its_own_log_and_descriptor_2_is_the_first_ones(share):
    apps = share({'a': WSGI, 'b': ASGI}).serve()
    for name in 'ab':
        apps.tell(name, '/say')
        assert apps.channels[name].ask('/fail').status is None
    for name, other in ('ab', 'ba'):
        wire.wait_until(lambda name=name: f'RuntimeError: failure of {name}' in apps.log(name), 'the traceback')
        assert f'said by {name}' in apps.log(name) and f'said by {other}' not in apps.log(name)
    assert 'raw of b' in apps.log('a') and 'raw of b' not in apps.log('b')


def test_an_app_that_fails_fails_the_start_of_all(share):
    apps = share(files={'b': 'import nowhere'})
    assert apps.worker.record() == (FAILED, IMPORT)
    assert apps.worker.wait_exit() == 1
    assert "cannot import module 'app': ModuleNotFoundError: No module named 'nowhere'" in apps.log('b')
    assert "rowhouse: this app shares its process with app 'b', which did not start" in apps.log('a')


def test_drain_lets_all_finish_and_is_answered_once(share):
    apps = share({'a': WSGI, 'b': ASGI}).serve()
    streams = {name: apps.channels[name].open(target='/sleep') for name in 'ab'}
    apps.channels['a'].companions = apps.channels['b'].companions = list(apps.channels.values())
    apps.worker.drain()
    for name, stream in streams.items():
        answer = apps.channels[name].answers[stream]
        apps.channels[name].wait(lambda: apps.channels[name].drained is not None, 'DRAIN')
        if apps.channels[name].drained:
            assert apps.channels[name].wait_closed(stream).status == 200
        else:
            assert not answer.kinds
    assert apps.worker.record() == (DRAINED, 0)
    assert apps.worker.wait_exit() == 0 and apps.worker.record() is None
    for name in 'ab':
        assert f'end of {name}' in apps.log(name)


def test_sigterm_drains_all(share):
    apps = share().serve()
    apps.tell('a')
    apps.worker.process.send_signal(signal.SIGTERM)
    assert apps.worker.record() == (DRAINED, 0) and apps.worker.wait_exit() == 0


def test_a_share_serves_on_when_the_supervisor_has_gone_and_ends_with_its_channels(share):
    apps = share().serve()
    apps.tell('a'), apps.tell('b')
    apps.worker.lifeline.close()
    assert apps.tell('a')['name'] == 'a' and apps.tell('b')['name'] == 'b'
    for channel in apps.channels.values():
        channel.socket.close()
    assert apps.worker.wait_exit() == 0


def test_stacks_are_those_of_each_app_in_its_log(share):
    apps = share({'a': WSGI, 'b': ASGI}).serve()
    streams = {name: apps.channels[name].open(target='/sleep') for name in 'ab'}

    def shown():
        apps.worker.process.send_signal(STACKS_SIGNAL)
        time.sleep(0.1)
        return all(f'in sleep_of_{name}' in apps.log(name) for name in 'ab')

    wire.wait_until(shown, 'both stacks')
    assert 'sleep_of_a' not in apps.log('b') and 'sleep_of_b' not in apps.log('a') and 'missing' not in apps.log('a')
    for name, stream in streams.items():
        assert apps.channels[name].wait_closed(stream).status == 200


EXTENSION = r"""
#include <Python.h>
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef single = {PyModuleDef_HEAD_INIT, "single", NULL, -1, NULL, NULL, NULL, NULL, NULL};
static struct PyModuleDef multi = {PyModuleDef_HEAD_INIT, "multi", NULL, 0, NULL, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_single(void) { return PyModule_Create(&single); }
PyMODINIT_FUNC PyInit_multi(void) { return PyModuleDef_Init(&multi); }
"""


def build_extensions(directory, python):
    """single.so and multi.so, for this Python."""
    interpreter = f'{python[2]}/bin/python{python[0]}'
    include = subprocess.run([interpreter, '-I', '-c', 'import sysconfig; print(sysconfig.get_paths()["include"])'], check=True,
                             capture_output=True, text=True).stdout.strip()
    (directory / 'both.c').write_text(EXTENSION)
    for name in ('single', 'multi'):
        subprocess.run(['cc', '-shared', '-fPIC', f'-I{include}', '-o', directory / f'{name}.so', directory / 'both.c'], check=True)


def test_an_extension_without_multi_phase_initialisation_is_refused_with_advice(share, python):
    apps = share().serve()
    for name in 'ab':
        build_extensions(apps.home / name, python)
        apps.channels[name].ask('/import?multi')
    for _ in range(2):
        for name in 'ab':
            assert apps.channels[name].ask('/import?single').status is None
    for name in 'ab':
        words = (f"ImportError: module single does not support loading in subinterpreters: it has no multi-phase initialisation "
                 f"(PEP 489); take 'share' out of app '{name}' in the manifest")
        wire.wait_until(lambda name=name, words=words: apps.log(name).count(words) == 2, 'the advice')
        assert 'multi' not in apps.log(name).replace('multi-phase', '')
    # What comes with Python is welcome.
    for module in ('datetime', '_decimal', '_ctypes', 'sqlite3', 'ssl', '_json', '_elementtree'):
        for name in 'ab':
            assert apps.channels[name].ask(f'/import?{module}').status == 200, (module, apps.log(name))


def answers_while_held(apps):
    """Whether b answers early while a holds its GIL in C code."""
    held = apps.channels['a'].open(target='/hold')
    wire.wait_until(lambda: 'holding' in apps.log('a'), 'a to hold')
    answered = apps.tell('b')['now']
    answer = apps.channels['a'].wait_closed(held, 120)
    begun, ended = json.loads(answer.body)['held']
    return answered - begun < (ended - begun) / 2


def test_with_a_gil_of_its_own_an_app_runs_beside_the_others(share, python):
    if tuple(map(int, python[0].split('.'))) < (3, 13):
        apps = share(gil_own=True)
        assert apps.worker.record() == (FAILED, INTERPRETER)
        assert f'"gil: own" needs Python 3.13, and this is Python {python[0]}' in apps.log('a')
        return
    modules = 'import asyncio, ctypes, datetime, decimal, hashlib, json, socket, sqlite3, ssl, zlib'
    apps = share({'a': WSGI, 'b': WSGI, 'c': ASGI}, files=dict.fromkeys('abc', modules), gil_own=True, threads=2).serve()
    assert apps.tell('c')['name'] == 'c'
    assert answers_while_held(apps)


def test_with_one_gil_the_apps_take_turns(share):
    assert not answers_while_held(share().serve())


def test_many_requests_to_all_apps_at_once_meet_their_own(share, python):
    own = tuple(map(int, python[0].split('.'))) >= (3, 13)
    apps = share({'a': WSGI, 'b': WSGI, 'c': ASGI}, threads=3, gil_own=own).serve()
    wrong = []

    def visit(name):
        for _ in range(30):
            streams = [apps.channels[name].open(target='/') for _ in range(4)]
            for stream in streams:
                answer = apps.channels[name].wait_closed(stream)
                if answer.status != 200 or json.loads(answer.body)['name'] != name:
                    wrong.append((name, answer.status, answer.body))

    threads = [threading.Thread(target=visit, args=(name,)) for name in 'abc']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert apps.worker.process.poll() is None
