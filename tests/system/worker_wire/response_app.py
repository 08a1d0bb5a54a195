"""The app of the response tests: a body in a few lines."""

import textwrap

AFTER_HEAD, BEFORE_HEAD, SHORT_BODY = 16, 17, 18


def body_of(text):
    lines = textwrap.indent(textwrap.dedent(text).strip('\n'), ' ' * 12)
    return f'''
        import sys
        events = []
        class Body:
            def __init__(self, *chunks): self.chunks = iter(chunks)
            def __iter__(self): return self
            def __next__(self):
                chunk = next(self.chunks)
                if isinstance(chunk, Exception): raise chunk
                return chunk
            def close(self): events.append('close')
        def application(environ, start_response):
            if environ['PATH_INFO'] == '/events':
                start_response('200 OK', [])
                return [repr(events).encode()]
{lines}
    '''
