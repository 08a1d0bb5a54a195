"""Static files: what is sent, what is never sent, and that a tenant's tricks with links lead nowhere (X08, X09)."""
import email
import gzip
import os
import threading
import time

import pytest
from http_client import Connection, CutResponse
from processes import wait_until
from rowhouse_host import SLOW

TEXT = "body { color: #123456 }\n" * 400
RACE_S = 2 if SLOW else 6


@pytest.fixture
def acme(host):
    tenant = host.add_probe(
        "acme", static="{ /static/: files, /media/: { directory: media, cache_control: 'max-age=60', index: home.htm, "
                       "fallback: app } }")
    for directory in ("files", "files/deep", "media"):
        tenant.put(f"{directory}/.keep", "")
    tenant.put("files/style.css", TEXT)
    tenant.put("files/ten.txt", "0123456789")
    tenant.put("files/index.html", "<h1>index</h1>")
    tenant.put("media/home.htm", "<h1>home</h1>")
    (tenant.home / "files").chmod(0o711)  # the home is 0750: what is above the prefix may stay private
    tenant.put("files/deep/a.txt", "deep")
    (tenant.home / "files" / "deep").chmod(0o755)
    return tenant


@pytest.fixture
def site(host, acme):
    host.start("acme/site")
    return acme


def fetch(host, path, **headers):
    return host.http("acme.test", path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_a_file_has_its_type_its_length_and_its_validators(host, site):
    answer = fetch(host, "/static/style.css")
    assert (answer.status, answer.text) == (200, TEXT)
    assert answer.header("Content-Type") == "text/css; charset=utf-8"
    assert answer.header("ETag") and answer.header("Last-Modified") and answer.header("Accept-Ranges") == "bytes"
    assert answer.header("X-Content-Type-Options") == "nosniff" and answer.header("Cache-Control") is None
    head = host.http("acme.test", "/static/style.css", method="HEAD")
    assert head.body == b"" and head.header("Content-Length") == str(len(TEXT))
    assert fetch(host, "/static/").text == "<h1>index</h1>"
    assert fetch(host, "/static/deep/a.txt").text == "deep"
    assert host.http("acme.test", "/static/style.css", method="POST", body=b"x").status == 405


def test_the_keys_of_a_prefix_are_obeyed(host, site):
    home = fetch(host, "/media/")
    assert home.text == "<h1>home</h1>" and home.header("Cache-Control") == "max-age=60"
    missing = fetch(host, "/media/nothing.txt")
    assert (missing.status, missing.text) == (404, "no such probe") and missing.cause is None, "the app's answer"
    posted = host.http("acme.test", "/media/home.htm", method="POST", body=b"x")
    assert posted.text == "no such probe"
    assert fetch(host, "/static/nothing.txt").cause == "RH-FORBIDDEN"


def test_what_the_client_has_is_not_sent_again(host, site):
    first = fetch(host, "/static/ten.txt")
    etag, modified = first.header("ETag"), first.header("Last-Modified")
    for condition in ({"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_Modified_Since": modified}):
        again = fetch(host, "/static/ten.txt", **condition)
        assert again.status == 304 and again.body == b"" and again.header("ETag") == etag
    assert fetch(host, "/static/ten.txt", If_Match='"x"').status == 412
    assert fetch(host, "/static/ten.txt", If_None_Match='"x"').status == 200


def test_ranges_one_many_and_too_many(host, site):
    one = fetch(host, "/static/ten.txt", Range="bytes=2-4")
    assert (one.status, one.body, one.header("Content-Range")) == (206, b"234", "bytes 2-4/10")
    assert fetch(host, "/static/ten.txt", Range="bytes=-3").body == b"789"
    beyond = fetch(host, "/static/ten.txt", Range="bytes=10-")
    assert (beyond.status, beyond.header("Content-Range")) == (416, "bytes */10")
    several = fetch(host, "/static/ten.txt", Range="bytes=0-1,4-5,8-")
    assert several.status == 206
    message = email.message_from_bytes(b"Content-Type: " + several.header("Content-Type").encode() + b"\r\n\r\n"
                                       + several.body)
    parts = [(part["Content-Range"], part.get_payload()) for part in message.get_payload()]
    assert parts == [("bytes 0-1/10", "01"), ("bytes 4-5/10", "45"), ("bytes 8-9/10", "89")]
    for spec in ("0-," * 1000 + "0-", "0-0," * 16 + "1-1", "0-,0-", "x", "5-4"):
        whole = fetch(host, "/static/ten.txt", Range=f"bytes={spec}")
        assert (whole.status, whole.body) == (200, b"0123456789"), spec[:20]


def test_a_twin_that_was_compressed_before_is_sent_to_whom_takes_it(host, site):
    (site.home / "files" / "style.css.gz").write_bytes(gzip.compress(TEXT.encode()))
    site.own(site.home / "files")
    zipped = fetch(host, "/static/style.css", Accept_Encoding="gzip")
    assert zipped.header("Content-Encoding") == "gzip" and gzip.decompress(zipped.body).decode() == TEXT
    assert zipped.header("Vary") == "Accept-Encoding" and zipped.header("Content-Type") == "text/css; charset=utf-8"
    plain = fetch(host, "/static/style.css")
    assert plain.text == TEXT and plain.header("Vary") == "Accept-Encoding"
    assert plain.header("ETag") != zipped.header("ETag")
    assert fetch(host, "/static/style.css", Accept_Encoding="gzip;q=0").header("Content-Encoding") is None


def test_files_are_sent_while_the_app_is_stopped(host, site):
    assert host.cli("stop", "acme/site").code == 0
    assert fetch(host, "/static/ten.txt").body == b"0123456789"
    assert fetch(host, "/hello").status == 503


def test_a_large_file_arrives_whole_also_at_a_slow_reader(host, site):
    data = os.urandom(1 << 20) * 8
    (site.home / "files" / "large.bin").write_bytes(data)
    site.own(site.home / "files")
    assert fetch(host, "/static/large.bin").body == data
    with Connection(host.port, 60) as slow:
        slow.send("acme.test", "/static/large.bin")
        head = slow.read_head()
        assert head.header("Content-Type") == "application/octet-stream"
        assert fetch(host, "/static/ten.txt").status == 200, "a reader that does not read holds up nobody"
        assert slow.take(len(data)) == data
    several = fetch(host, "/static/large.bin", Range="bytes=100-3000099,7000000-7999999")
    assert several.status == 206 and data[100:3_000_100] in several.body and data[7_000_000:8_000_000] in several.body


def test_a_file_that_shrinks_while_it_is_sent_ends_visibly(host, site):
    path = site.home / "files" / "shrinking.bin"
    path.write_bytes(bytes(64 << 20))
    site.own(path)
    with Connection(host.port, 60) as connection:
        connection.send("acme.test", "/static/shrinking.bin")
        connection.read_head()
        os.truncate(path, 1 << 20)
        with pytest.raises(CutResponse):
            connection.take(64 << 20)
    assert fetch(host, "/static/ten.txt").status == 200


def test_what_is_no_plain_file_of_the_tenant_is_never_sent(host, site):
    files = site.home / "files"
    os.mkfifo(files / "fifo")
    os.mknod(files / "null", 0o20666, os.makedev(1, 3))
    site.own(files)
    (files / ".env").write_text("SECRET=1")
    site.own(files)
    os.symlink("ten.txt", files / "inside")
    os.symlink("/etc/passwd", files / "outside")
    os.symlink("deep", files / "way")
    for name in ("fifo", "null", ".env", "deep", "inside", "outside", "way/a.txt", "deep//a.txt"):
        answer = fetch(host, f"/static/{name}")
        assert (answer.status, answer.cause) == (404, "RH-FORBIDDEN"), name
    for path in ("/static/../../etc/passwd", "/static/..%2f..%2fetc/passwd"):
        assert fetch(host, path).status == 400


def test_a_403_is_explained_in_the_tenants_log(host, site):
    files = site.home / "files"
    for name in ("mode", "owner", "links"):
        (files / name).write_text("x")
        site.own(files / name)
    (files / "mode").chmod(0o600)
    os.chown(files / "owner", 0, 0)
    os.link(files / "links", files / "links2")
    for name in ("mode", "owner", "links"):
        answer = fetch(host, f"/static/{name}")
        assert (answer.status, answer.cause) == (403, f"RH-FILE-{name.upper()}")
    wait_until(lambda: "/static/mode is answered by 403 (RH-FILE-MODE)" in host.cli("logs", "acme/site").out, 10,
               lambda: host.cli("logs", "acme/site").out)


def test_a_name_that_flips_between_file_and_link_never_leaks(host, site):
    """X08 and X09: the neighbour's file is readable by everybody, and still never sent."""
    neighbour = host.add_tenant("blake")
    neighbour.home.chmod(0o755)
    secret = neighbour.put("secret.txt", "neighbour's secret")
    files, ended, answers = site.home / "files", threading.Event(), {}
    (files / "plain").write_text("mine")
    site.own(files)

    def flip():
        while not ended.is_set():
            for step in (lambda: os.symlink(secret, files / ".new"), lambda: os.link(secret, files / ".new"),
                         lambda: (files / ".new").write_text("mine")):
                step()
                if not (files / ".new").is_symlink() and (files / ".new").stat().st_nlink == 1:
                    site.own(files / ".new")
                os.rename(files / ".new", files / "x")

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        until = time.monotonic() + RACE_S
        while time.monotonic() < until:
            with Connection(host.port) as connection:
                for _ in range(500):  # a connection has an end
                    answer = connection.request("acme.test", "/static/x")
                    answers[answer.status] = answers.get(answer.status, 0) + 1
                    assert "secret" not in answer.text
                    if answer.status == 200:
                        assert answer.text in ("mine", "")
    finally:
        ended.set()
        flipper.join()
    assert answers.get(200) and (answers.get(404) or answers.get(403)), f"both sides of the race were seen: {answers}"
    assert set(answers) <= {200, 403, 404, 503}, answers
