"""Workers for the tests of this directory: each test gets its own, from an app given as source."""

import os
import textwrap

import pytest

import wire
from response_app import body_of

SANITIZER_OPTIONS = {name: os.environ[name] for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS') if name in os.environ}
SANITIZER_LINES = ('runtime error:', 'AddressSanitizer', 'LeakSanitizer')


EVERY_PYTHON = bool(os.environ.get('ROWHOUSE_EVERY_PYTHON'))  # every test with every worker, not only the core


def rows_for(mark):
    """Rows of pythons.table: without a mark the default's, which is the system's own."""
    choice = mark.args[0] if mark else 'default'
    rows = wire.known_pythons()
    if choice == 'debug':
        return [wire.debug_python()]
    if choice == 'system':
        return [row for row in rows if row[2] == '/usr']
    return rows if choice == 'every' or EVERY_PYTHON else rows[:1]


def pytest_configure(config):
    config.addinivalue_line('markers', 'pythons(choice): the workers that a test runs with: every, system (which has '
                                       "the packages of the system), debug; without it the default's")


def pytest_generate_tests(metafunc):
    if 'python' in metafunc.fixturenames:
        rows = rows_for(metafunc.definition.get_closest_marker('pythons'))
        metafunc.parametrize('python', rows, ids=[row[0] for row in rows], indirect=True)


@pytest.fixture
def python(request):
    """(version, program, prefix) of the worker."""
    return request.param


@pytest.fixture
def start(tmp_path, python):
    """start(source, ...) -> a Worker that is loading; start.ready(source, ...) -> (worker, its first channel)."""
    workers = []

    def start_worker(source='', env=None, preexec=None, files=None, directory=None, part=None, app_env=None, **fields):
        home = tmp_path / f'home{len(workers)}'
        home.mkdir()
        (home / 'app.py').write_text(textwrap.dedent(source))
        for name, text in (files or {}).items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        if 'script' in fields:
            fields['script'] = home / fields['script']
        if part is None:
            part = wire.worker_part(directory or home, home=home, env=app_env, **{'python': python[0], **fields})
        environment = {'HOME': str(home), 'USER': 'acme', 'LOGNAME': 'acme', 'PATH': '/usr/bin:/bin',
                       'LANG': 'C.UTF-8', **SANITIZER_OPTIONS, **(env or {})}
        worker = wire.Worker(str(wire.build_directory() / python[1]), part, home / 'log', environment, preexec)
        worker.home = home
        workers.append(worker)
        return worker

    def ready(source='', **fields):
        worker = start_worker(source, **fields)
        worker.wait_ready()
        return worker, worker.add_channel()

    start_worker.ready = ready
    yield start_worker
    for worker in workers:
        worker.stop()
    assert not [line for worker in workers for line in worker.log.splitlines()
                if any(mark in line for mark in SANITIZER_LINES)]


@pytest.fixture
def app(start):
    """app(body of the application) -> the channel of a worker that runs it."""
    def make(text, **fields):
        make.worker, channel = start.ready(body_of(text), **fields)
        return channel
    return make
