"""An app that eats memory when asked to."""


def application(environ, start_response):
    if environ["PATH_INFO"] == "/eat":
        eaten = []
        while True:
            eaten.append(b"\1" * 16_777_216)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
