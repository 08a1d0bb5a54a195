"""Workers for the tests of this directory: each test gets its own, from an app given as source."""

import os
import pathlib
import textwrap

import pytest

import wire

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def build_directory():
    return pathlib.Path(os.environ.get('ROWHOUSE_BUILD', REPOSITORY / 'build'))


def known_pythons():
    """The rows of pythons.table: (version, program, prefix)."""
    table = build_directory() / 'pythons.table'
    return [line.split(' ', 2) for line in table.read_text().splitlines() if line]


@pytest.fixture(params=[row[0] for row in known_pythons()])
def python(request):
    """One row of pythons.table for each worker that was built."""
    return next(row for row in known_pythons() if row[0] == request.param)


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
            part = wire.worker_part(directory or home, home=home, env=app_env, **fields)
        environment = {'HOME': str(home), 'USER': 'acme', 'LOGNAME': 'acme', 'PATH': '/usr/bin:/bin',
                       'LANG': 'C.UTF-8', **(env or {})}
        worker = wire.Worker(str(build_directory() / python[1]), part, home / 'log', environment, preexec)
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
