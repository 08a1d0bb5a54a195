"""The start of a worker: what succeeds, and the one sentence for each step that fails."""

import os
import subprocess

import pytest

import wire

pytestmark = [pytest.mark.sanitized, pytest.mark.pythons('every')]

OK = '''
    def application(environ, start_response):
        start_response('200 OK', [])
        return [b'ok']
'''
(PART, DIRECTORY, VIRTUALENV, INTERPRETER, IMPORT, CALLABLE, THREADS) = range(1, 8)


def assert_failed(worker, step, *words):
    assert worker.record() == (wire.FAILED, step), worker.log
    assert worker.record() is None
    assert worker.wait_exit() == 1
    last_line = worker.log.splitlines()[-1]
    assert last_line.startswith('rowhouse: ')
    for word in words:
        assert word in last_line
    return last_line


def test_ready_tells_the_python_version(start, python):
    major, minor = map(int, python[0].split('.'))
    assert start(OK).wait_ready() == major << 8 | minor


def test_a_script_file_is_run(start):
    _, channel = start.ready(files={'app.wsgi': OK}, script='app.wsgi')
    assert channel.ask().body == b'ok'


def test_a_script_that_does_not_exist_is_an_import_failure(start):
    assert_failed(start(script='none.wsgi'), IMPORT, 'cannot run script', 'none.wsgi', 'No such file')


def test_a_dotted_attribute_is_found(start):
    _, channel = start.ready('''
        class site:
            class inner:
                @staticmethod
                def application(environ, start_response):
                    start_response('200 OK', [])
                    return [b'inner']
    ''', callable_='app:site.inner.application')
    assert channel.ask().body == b'inner'


def test_a_missing_module_is_named(start):
    assert_failed(start(callable_='blog.wsgi:application'), IMPORT,
                  "cannot import module 'blog.wsgi': ModuleNotFoundError: No module named 'blog'")


def test_a_syntax_error_shows_its_traceback(start):
    worker = start('def application(:\n')
    assert_failed(worker, IMPORT, "cannot import module 'app': SyntaxError")
    assert 'app.py' in worker.log


def test_an_app_that_exits_at_import_is_an_import_failure(start):
    assert_failed(start('import sys; sys.exit(3)'), IMPORT, "SystemExit: 3")


def test_a_wrong_name_suggests_the_right_one(start):
    assert_failed(start('def aplication(e, s): pass'), CALLABLE, "has no 'application'", "'aplication'")
    assert_failed(start('def app(e, s): pass', callable_='app:handler'), CALLABLE, "has no 'handler'", "'app'")


def test_what_is_not_callable_is_refused_with_its_type(start):
    assert_failed(start('application = "x"'), CALLABLE, 'is not callable', 'str')


def test_a_directory_that_does_not_exist_is_named(start, tmp_path):
    assert_failed(start(OK, directory=tmp_path / 'none'), DIRECTORY, str(tmp_path / 'none'), 'No such file')


def test_a_worker_part_that_is_broken_is_refused(start):
    assert_failed(start(part=b'\1\0garbage'), PART, 'worker part')


def test_another_python_than_the_app_asks_for_is_refused(start, python):
    assert_failed(start(OK, python='3.99'), INTERPRETER, 'asks for Python 3.99', f'runs Python {python[0]}')


def test_a_worker_part_that_is_not_sealed_is_refused(start, tmp_path):
    path = tmp_path / 'part'
    path.write_bytes(wire.worker_part(tmp_path))
    assert_failed(start(part=os.open(path, os.O_RDONLY)), PART, 'worker part')


def make_virtualenv(python, path, *options):
    subprocess.run([f'{python[2]}/bin/python{python[0]}', '-m', 'venv', '--without-pip', *options, str(path)], check=True)
    packages = path / 'lib' / f'python{python[0]}' / 'site-packages'
    (packages / 'only_here.py').write_text('name = "venv"')
    return path


ASK_VIRTUALENV = '''
    import os, sys
    import only_here
    def application(environ, start_response):
        start_response('200 OK', [])
        site_packages = any(p.startswith(sys.base_prefix) and p.endswith('-packages') for p in sys.path)
        return [repr([only_here.name, sys.prefix, sys.executable, os.environ['VIRTUAL_ENV'],
                      os.environ['PATH'].split(':')[0], site_packages, sys.base_prefix]).encode()]
'''


def test_a_virtualenv_is_honoured_as_activate_would(start, python, tmp_path):
    venv = make_virtualenv(python, tmp_path / 'venv')
    _, channel = start.ready(ASK_VIRTUALENV, virtualenv=venv)
    assert eval(channel.ask().body) == ['venv', str(venv), f'{venv}/bin/python', str(venv), f'{venv}/bin', False,
                                        python[2]]


def test_system_site_packages_of_a_virtualenv_are_honoured(start, python, tmp_path):
    venv = make_virtualenv(python, tmp_path / 'venv', '--system-site-packages')
    _, channel = start.ready(ASK_VIRTUALENV, virtualenv=venv)
    assert eval(channel.ask().body)[5] is True


def test_a_virtualenv_of_another_python_names_both_versions(start, python, tmp_path):
    venv = make_virtualenv(python, tmp_path / 'venv')
    config = venv / 'pyvenv.cfg'
    config.write_text(config.read_text().replace(f'version = {python[0]}', 'version = 3.99'))
    assert_failed(start(OK, virtualenv=venv), VIRTUALENV, 'made for Python 3.99', f'runs on Python {python[0]}')


def test_a_broken_virtualenv_is_never_passed_over(start, python, tmp_path):
    assert_failed(start(OK, virtualenv=tmp_path / 'none'), VIRTUALENV, 'none', 'No such file')
    (tmp_path / 'empty').mkdir()
    assert_failed(start(OK, virtualenv=tmp_path / 'empty'), VIRTUALENV, 'pyvenv.cfg')
    venv = make_virtualenv(python, tmp_path / 'venv')
    (venv / 'bin' / 'python').unlink()
    assert_failed(start(OK, virtualenv=venv), VIRTUALENV, 'bin/python')


def test_the_environment_is_that_of_the_manifest(start):
    worker, channel = start.ready('''
        import os, sys, locale
        at_import = dict(os.environ)
        def application(environ, start_response):
            start_response('200 OK', [])
            return [repr([at_import, os.getcwd(), sys.path[0], sys.flags.utf8_mode, sys.getfilesystemencoding(),
                          sys.argv, sys.stdin.read(), os.umask(0o22)]).encode()]
    ''', env={'PYTHONPATH': '/nowhere', 'PYTHONHASHSEED': '0'}, )
    environment, cwd, first, _, encoding, argv, stdin, umask = eval(channel.ask().body)
    home = str(worker.home)
    assert environment['HOME'] == home and environment['USER'] == 'acme' and cwd == first == home
    assert encoding == 'utf-8' and argv == ['app'] and stdin == ''


def test_env_of_the_manifest_wins_over_what_the_steward_gives(start):
    _, channel = start.ready('''
        import os
        def application(environ, start_response):
            start_response('200 OK', [])
            return [(os.environ['PLACE'] + os.environ['COLOUR']).encode()]
    ''', env={'COLOUR': 'red', 'PLACE': 'here '}, app_env={'COLOUR': 'blue'})
    assert channel.ask().body == b'here blue'


def test_the_c_locale_means_utf8_mode(start):
    _, channel = start.ready('''
        import sys
        def application(environ, start_response):
            start_response('200 OK', [])
            return [repr([sys.flags.utf8_mode, sys.getfilesystemencoding()]).encode()]
    ''', env={'LANG': 'C'})
    assert eval(channel.ask().body) == [1, 'utf-8']


def test_hashes_are_random(start):
    source = '''
        def application(environ, start_response):
            start_response('200 OK', [])
            return [str(hash('rowhouse')).encode()]
    '''
    answers = {start.ready(source)[1].ask().body for _ in range(3)}
    assert len(answers) > 1
