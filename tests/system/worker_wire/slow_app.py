"""Apps and waits that several tests of this directory use."""

import os
import pathlib

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
