"""Proxies in front: who may say who the client is, PROXY headers, UNIX sockets, IPv6, penalties."""
import json
import socket
import struct

import pytest
from http_client import Connection, CutResponse
from rowhouse_host import free_port

KNOWN = b"\r\n\r\n\0\r\nQUIT\n"
FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=198.51.100.1;proto=http",
          "X-Real-IP": "1.2.3.4", "X-Forwarded-Ssl": "off"}


def told(host, headers, port=None):
    with Connection(port or host.port) as connection:
        return json.loads(connection.request("acme.test", "/environment", headers=headers).text)["wsgi"]


def probe(host, keys="", listen=""):
    host.gateway_keys, host.extra_listen, host.gateways = keys, listen, 1
    host.add_probe("acme")
    host.start("acme/site")


def test_a_trusted_proxy_says_who_the_client_is_and_by_one_kind_of_field_only(host):
    probe(host, ", trusted_proxies: [127.0.0.0/8]")
    environ = told(host, FORGED)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.9", "https")
    assert environ["HTTP_X_FORWARDED_FOR"] == "203.0.113.9" and environ["HTTP_X_FORWARDED_PROTO"] == "https"
    assert not {"HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_SSL"} & set(environ)
    assert told(host, {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 127.0.0.5"})["REMOTE_ADDR"] == "203.0.113.9"
    assert told(host, {})["REMOTE_ADDR"] == "127.0.0.1"
    assert "203.0.113.9" in host.cli("logs", "acme/site", "--access").out


def test_rfc_7239_where_the_host_says_so(host):
    probe(host, ", trusted_proxies: ['127.0.0.1'], forwarded: rfc7239")
    environ = told(host, FORGED)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("198.51.100.1", "http")


def test_nobody_else_is_believed(host):
    probe(host, ", trusted_proxies: [10.0.0.0/8]")
    environ = told(host, FORGED)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def proxied(port, header, path="/environment"):
    with Connection(port, 10) as connection:
        connection.socket.sendall(header)
        return connection.request("acme.test", path)


@pytest.mark.sanitized
def test_proxy_headers_of_both_versions_and_nothing_else_open_the_door(host):
    door = free_port()
    probe(host, ", trusted_proxies: ['127.0.0.1']", f'  - {{ http: "127.0.0.1:{door}", proxy_protocol: true }}\n')
    four = socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 80)
    six = socket.inet_pton(socket.AF_INET6, "2001:db9::1") * 2 + struct.pack("!HH", 4711, 80)
    for header, address in ((b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n", "203.0.113.9"),
                            (b"PROXY TCP6 2001:db9::1 ::1 4711 80\r\n", "2001:db9::1"),
                            (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                            (KNOWN + b"\x21\x11" + struct.pack("!H", len(four)) + four, "203.0.113.9"),
                            (KNOWN + b"\x21\x21" + struct.pack("!H", len(six)) + six, "2001:db9::1"),
                            (KNOWN + b"\x20\x00\x00\x00", "127.0.0.1")):
        environ = json.loads(proxied(door, header).text)["wsgi"]
        assert environ["REMOTE_ADDR"] == address, header
        assert environ["REMOTE_PORT"] == "4711" or address == "127.0.0.1"
    for header in (b"", b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\n", b"PROXY TCP4 x y 1 2\r\n",
                   KNOWN + b"\x21\x11\xff\xff" + four, KNOWN + b"\x22\x11\x00\x0c" + four):
        with pytest.raises((CutResponse, ConnectionError)):
            proxied(door, header)
    forged = proxied(door, b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\nGET /environment HTTP/1.1\r\nHost: acme.test\r\n"
                           b"X-Forwarded-For: 6.6.6.6\r\n\r\n")
    assert json.loads(forged.text)["wsgi"]["REMOTE_ADDR"] == "203.0.113.9", "the client is no proxy of ours"
    with Connection(door, 10) as silent:
        assert silent.socket.recv(1) == b"", "a door with a preface waits for it a second"


def test_a_client_that_speaks_no_http_again_and_again_is_barred_and_nobody_else(host):
    door = free_port()
    probe(host, ", trusted_proxies: ['127.0.0.1']", f'  - {{ http: "127.0.0.1:{door}", proxy_protocol: true }}\n')
    bad, good = (b"PROXY TCP4 203.0.113.%d 192.0.2.1 4711 80\r\n" % last for last in (9, 10))
    for _ in range(30):
        with Connection(door) as connection:
            connection.socket.sendall(bad + b"no http\r\n\r\n")
            assert connection.read_response().status == 400
    with pytest.raises((CutResponse, ConnectionError)):
        proxied(door, bad, "/hello")
    assert proxied(door, good, "/hello").status == 200


def test_a_unix_socket_serves_and_may_be_trusted(host):
    path = host.directory / "front.sock"
    probe(host, ", trusted_proxies: [unix]", f'  - http: "unix:{path}"\n')
    assert told(host, {}, path)["REMOTE_ADDR"] == ""
    assert told(host, FORGED, path)["REMOTE_ADDR"] == "203.0.113.9"
    assert told(host, FORGED)["REMOTE_ADDR"] == "127.0.0.1", "over TCP nobody is trusted"
    host.stop()
    assert not path.exists()


def test_ipv6_listeners_serve(host):
    door = free_port()
    probe(host, "", f'  - http: "[::1]:{door}"\n')
    with socket.create_connection(("::1", door), 10) as client:
        client.sendall(b"GET /environment HTTP/1.1\r\nHost: acme.test\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["wsgi"]["REMOTE_ADDR"] == "::1"
