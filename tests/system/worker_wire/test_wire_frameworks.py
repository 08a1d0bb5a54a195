"""Applications as people write them: Flask and Django from Debian, where the worker's Python is Debian's."""

import pytest

from wire import ASGI

pytestmark = pytest.mark.pythons('system')

FLASK = '''
    import io, time
    from flask import Flask, Response, request, send_file, session
    app = Flask(__name__)
    app.secret_key = 'x'
    @app.route('/')
    def index(): return 'hello ' + request.args.get('name', 'world')
    @app.route('/upload', methods=['POST'])
    def upload(): return f"{request.form['title']}:{len(request.files['file'].read())}"
    @app.route('/stream')
    def stream(): return Response((f'{i},' for i in range(5)), mimetype='text/plain')
    @app.route('/file')
    def file(): return send_file(io.BytesIO(b'x' * 200000), download_name='x.bin')
    @app.route('/login')
    def login(): session['user'] = 'ann'; return 'in'
    @app.route('/fail')
    def fail(): return 1 / 0
    application = app
'''
DJANGO = '''
    import os
    from django.conf import settings
    settings.configure(DEBUG=False, SECRET_KEY='x', ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__,
                       MIDDLEWARE=['django.middleware.common.CommonMiddleware'])
    from django.core.wsgi import get_wsgi_application
    from django.http import FileResponse, HttpResponse, StreamingHttpResponse
    from django.urls import path
    import io
    urlpatterns = [
        path('', lambda request: HttpResponse('hello ' + request.GET.get('name', 'world'))),
        path('upload', lambda request: HttpResponse(str(len(request.FILES['file'].read())))),
        path('stream', lambda request: StreamingHttpResponse(b'%d,' % i for i in range(5))),
        path('file', lambda request: FileResponse(io.BytesIO(b'x' * 200000), filename='x.bin')),
        path('where', lambda request: HttpResponse(request.build_absolute_uri() + ' ' + request.META['REMOTE_ADDR'])),
    ]
    application = get_wsgi_application()
'''
BOUNDARY = 'b0undary'
FORM = [('content-type', f'multipart/form-data; boundary={BOUNDARY}')]


def multipart(size):
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n--{BOUNDARY}\r\n'
            'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n').encode() + b'x' * size + (
                f'\r\n--{BOUNDARY}--\r\n').encode()


@pytest.fixture(params=[1, 4])
def threads(request):
    return request.param


def test_flask(start, threads):
    worker, channel = start.ready(FLASK, threads=threads)
    assert channel.ask('/?name=ann').body == b'hello ann'
    assert channel.ask('/upload', method='POST', body=multipart(3000000), headers=FORM).body == b'T:3000000'
    assert channel.ask('/stream').body == b'0,1,2,3,4,'
    answer = channel.ask('/file')
    assert answer.body == b'x' * 200000 and answer.header('content-length') == '200000'
    assert channel.ask('/login').header('set-cookie').startswith('session=')
    assert channel.ask('/fail').status == 500 and 'ZeroDivisionError' in worker.log
    assert channel.ask('/none').status == 404


def test_django(start, threads):
    worker, channel = start.ready(DJANGO, threads=threads)
    assert channel.ask('/?name=ann').body == b'hello ann'
    assert channel.ask('/upload', method='POST', body=multipart(3000000), headers=FORM).body == b'3000000', worker.log
    assert channel.ask('/stream').body == b'0,1,2,3,4,'
    assert channel.ask('/file').body == b'x' * 200000
    assert channel.ask('/where', https=True, port=443).body == b'https://acme.example/where 192.0.2.1'
    answer = channel.ask('/m/where', script_name='/m', path_info='/where')
    assert answer.body == b'http://acme.example/m/where 192.0.2.1'


def test_uvloop(start):
    source = '''
        import asyncio
        async def application(scope, receive, send):
            if scope['type'] == 'lifespan': raise NotImplementedError
            body, more = b'', True
            while more:
                message = await receive()
                body, more = body + message['body'], message['more_body']
            done = await asyncio.create_subprocess_exec('/bin/echo', 'said', stdout=-1)
            output, _ = await done.communicate()
            loop = type(asyncio.get_running_loop())
            await send({'type': 'http.response.start', 'status': 200, 'headers': []})
            for part in (loop.__module__.encode(), b' ', output, body):
                await send({'type': 'http.response.body', 'body': part, 'more_body': True})
            await send({'type': 'http.response.body'})
    '''
    worker, channel = start.ready(source, interface=ASGI)
    for size in (0, 3, 1000000):
        assert channel.ask('/', method='POST', body=b'u' * size).body == b'uvloop said\n' + b'u' * size, worker.log
    worker.drain()
    assert worker.wait_exit() == 0
