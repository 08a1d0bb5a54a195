"""What an app finds in its environ (PEP 3333, "environ Variables")."""

import ast

import pytest

pytestmark = pytest.mark.sanitized

SHOW = '''
    def application(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        shown = {key: value for key, value in environ.items() if type(value) in (str, bool, tuple)}
        assert type(environ) is dict
        return [repr(shown).encode()]
'''


@pytest.fixture
def show(start):
    _, channel = start.ready(SHOW)

    def ask(target='/', **fields):
        return ast.literal_eval(channel.ask(target, **fields).body.decode())
    return ask


def test_the_required_names_are_there(show):
    environ = show('/a?x=1')
    expected = {
        'REQUEST_METHOD': 'GET', 'SCRIPT_NAME': '', 'PATH_INFO': '/a', 'QUERY_STRING': 'x=1', 'REQUEST_URI': '/a?x=1',
        'RAW_URI': '/a?x=1', 'SERVER_NAME': 'acme.example', 'SERVER_PORT': '80', 'SERVER_PROTOCOL': 'HTTP/1.1',
        'REMOTE_ADDR': '192.0.2.1', 'REMOTE_PORT': '50000', 'HTTP_HOST': 'acme.example', 'wsgi.version': (1, 0),
        'wsgi.url_scheme': 'http', 'wsgi.multithread': False, 'wsgi.run_once': False, 'wsgi.input_terminated': True}
    assert {name: environ.get(name) for name in expected} == expected
    assert 'CONTENT_LENGTH' not in environ and 'CONTENT_TYPE' not in environ


def test_a_mount_splits_script_name_and_path_info(show):
    environ = show('/app/x', script_name='/app', path_info='/x')
    assert (environ['SCRIPT_NAME'], environ['PATH_INFO']) == ('/app', '/x')
    environ = show('/app', script_name='/app', path_info='')
    assert (environ['SCRIPT_NAME'], environ['PATH_INFO']) == ('/app', '')


def test_utf8_paths_are_latin1_text_that_round_trips(show):
    environ = show('/caf%C3%A9', path_info='/café'.encode())
    assert environ['PATH_INFO'] == '/cafÃ©'
    assert environ['PATH_INFO'].encode('latin-1').decode('utf-8') == '/café'
    assert environ['REQUEST_URI'] == '/caf%C3%A9'


def test_undecodable_bytes_in_the_path_reach_the_app(show):
    assert show('/%FF%FE', path_info=b'/\xff\xfe')['PATH_INFO'] == '/\xff\xfe'


def test_repeated_slashes_are_kept(show):
    assert show('//a//b')['PATH_INFO'] == '//a//b'


def test_an_absent_query_is_an_empty_string(show):
    assert show('/')['QUERY_STRING'] == ''


def test_content_type_and_length_have_no_http_twin(show):
    environ = show('/', method='POST', body=b'abc', headers=[('content-type', 'text/x')])
    assert environ['CONTENT_TYPE'] == 'text/x' and environ['CONTENT_LENGTH'] == '3'
    assert not {'HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH'} & set(environ)


def test_repeated_headers_are_joined_and_cookies_by_semicolon(show):
    environ = show('/', headers=[('accept', 'a'), ('accept', 'b'), ('x-a', '1'), ('x-a', '2'), ('cookie', 'c=1'),
                                 ('cookie', 'd=2')])
    assert environ['HTTP_ACCEPT'] == 'a, b'
    assert environ['HTTP_X_A'] == '1, 2'
    assert environ['HTTP_COOKIE'] == 'c=1; d=2'


def test_the_proxy_header_never_becomes_http_proxy(show):
    assert 'HTTP_PROXY' not in show('/', headers=[('proxy', 'http://evil/')])


def test_a_header_with_an_underscore_is_not_taken_for_its_twin(show):
    environ = show('/', headers=[('x_forwarded_for', 'evil'), ('x-forwarded-for', '192.0.2.9')])
    assert environ['HTTP_X_FORWARDED_FOR'] == '192.0.2.9'


def test_authorization_is_passed(show):
    assert show('/', headers=[('authorization', 'Basic eDp5')])['HTTP_AUTHORIZATION'] == 'Basic eDp5'


def test_scheme_and_port_are_those_of_the_front(show):
    environ = show('/', https=True, port=443)
    assert (environ['wsgi.url_scheme'], environ['SERVER_PORT']) == ('https', '443')
    assert 'HTTPS' not in environ


def test_http_1_0_is_told(show):
    assert show('/', version=10)['SERVER_PROTOCOL'] == 'HTTP/1.0'


def test_an_unusual_method_reaches_the_app(show):
    assert show('/', method='PROPFIND')['REQUEST_METHOD'] == 'PROPFIND'


def test_one_hundred_headers_of_many_names_work_again_and_again(show):
    for turn in range(5):
        environ = show('/', headers=[(f'x-n{turn}-{i}', str(i)) for i in range(100)])
        assert all(environ[f'HTTP_X_N{turn}_{i}'] == str(i) for i in range(100))


def test_values_of_one_request_do_not_show_in_the_next(show):
    first = show('/', host='a.example', server_name='a.example', remote=('192.0.2.7', 1), headers=[('x-a', '1')])
    second = show('/', host='b.example', server_name='b.example', remote=('192.0.2.8', 2))
    assert first['HTTP_HOST'] == 'a.example' and second['HTTP_HOST'] == 'b.example'
    assert second['REMOTE_ADDR'] == '192.0.2.8' and 'HTTP_X_A' not in second


def test_multithread_matches_the_threads(start):
    _, channel = start.ready(SHOW, threads=3)
    assert ast.literal_eval(channel.ask('/').body.decode())['wsgi.multithread'] is True


def test_environ_is_fresh_for_each_request(start):
    _, channel = start.ready('''
        def application(environ, start_response):
            start_response('200 OK', [])
            seen = 'mark' in environ
            environ['mark'] = environ['wsgi.version'] = 1
            return [str(seen).encode()]
    ''')
    assert [channel.ask().body for _ in range(3)] == [b'False'] * 3
