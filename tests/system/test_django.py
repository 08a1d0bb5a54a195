"""A real Django site with admin, cookies, CSRF, SQLite, static files, large uploads and downloads."""
import hashlib
import re

import pytest
import requests
from django_site import PASSWORD, add_django
from http_client import Connection

MIB = 1024 * 1024


@pytest.fixture
def acme(host):
    tenant = add_django(host)
    host.start("acme/site")
    return tenant


@pytest.fixture
def browser(host, acme):
    """A session that keeps cookies, as a browser does."""
    session = requests.Session()
    session.headers["Host"] = acme.domain
    session.base = f"http://127.0.0.1:{host.port}"
    return session


def token_of(page):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text).group(1)


def log_in(browser):
    url = f"{browser.base}/admin/login/?next=/admin/"
    page = browser.get(url)
    assert page.status_code == 200
    return browser.post(url, {"username": "demo", "password": PASSWORD, "csrfmiddlewaretoken": token_of(page)})


@pytest.mark.sanitized
def test_admin_logs_in_adds_a_row_and_lists_it(browser):
    home = log_in(browser)
    assert home.status_code == 200 and "Site administration" in home.text
    url = f"{browser.base}/admin/guestbook/entry/add/"
    form = {"name": "Wile E.", "text": "It did not work.", "csrfmiddlewaretoken": token_of(browser.get(url))}
    added = browser.post(url, form)
    assert added.status_code == 200 and "was added successfully" in added.text
    listed = browser.get(f"{browser.base}/admin/guestbook/entry/")
    assert "Wile E." in listed.text and "It did not work." in listed.text
    assert "It did not work." in browser.get(browser.base + "/").text


def test_a_form_without_its_csrf_token_is_refused(browser):
    log_in(browser)
    refused = browser.post(f"{browser.base}/admin/guestbook/entry/add/", {"name": "a", "text": "b"})
    assert refused.status_code == 403 and "CSRF" in refused.text


def test_the_admin_asks_a_stranger_to_log_in(browser):
    answer = browser.get(f"{browser.base}/admin/guestbook/entry/", allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_static_css_is_served_byte_for_byte(host, acme):
    for name in ("guestbook/style.css", "admin/css/base.css"):
        answer = host.http(acme.domain, f"/static/{name}")
        assert answer.status == 200
        assert answer.header("Content-Type").startswith("text/css")
        assert answer.body == (acme.home / "site/static-files" / name).read_bytes()


def test_a_static_file_that_is_not_there_is_404(host, acme):
    assert host.http(acme.domain, "/static/none.css").status == 404


def test_the_database_is_not_reachable_through_the_static_prefix(host, acme):
    for path in ("/static/../db.sqlite3", "/static/%2e%2e/db.sqlite3", "/static/..%2fdb.sqlite3"):
        answer = host.http(acme.domain, path)
        assert b"SQLite" not in answer.body
        assert answer.status in (400, 404)


@pytest.mark.sanitized
def test_an_upload_of_20_mib_arrives_byte_identical(host, acme):
    body = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(20 * MIB // 32))
    answer = host.http(acme.domain, "/upload", method="POST", body=body, timeout=60)
    assert answer.status == 200, answer.text
    assert f'"bytes": {20 * MIB}' in answer.text
    assert hashlib.sha256(body).hexdigest() in answer.text


@pytest.mark.sanitized
def test_a_streamed_download_of_50_mib_is_byte_identical(host, acme):
    answer = host.http(acme.domain, "/download/50", timeout=60)
    assert answer.status == 200
    expected = hashlib.sha256()
    for number in range(50):
        expected.update(hashlib.sha256(str(number).encode()).digest() * (MIB // 32))
    assert len(answer.body) == 50 * MIB
    assert hashlib.sha256(answer.body).digest() == expected.digest()


def test_a_body_over_the_apps_limit_is_refused(host, acme):
    with Connection(host.port) as connection:
        connection.socket.sendall(f"POST /upload HTTP/1.1\r\nHost: {acme.domain}\r\n"
                                  f"Content-Length: {65 * MIB}\r\n\r\n".encode())
        answer = connection.read_response()
    assert answer.status == 413 and answer.cause == "RH-TOO-LARGE"
