"""Compiled modules: each app has its own, whatever version its neighbour of the same tenant uses."""
import hashlib
import json
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import PATIENCE_S, PYTHONS

SOURCE = r"""
#include <Python.h>
static PyObject *version(PyObject *self, PyObject *none) { return PyUnicode_FromString(VERSION); }
static PyObject *crash(PyObject *self, PyObject *none) { *(volatile int *)0 = 1; return NULL; }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, "version()"}, {"crash", crash, METH_NOARGS, "crash()"},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "versioned", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_versioned(void) { return PyModule_Create(&definition); }
"""
APP = """
    import os, platform
    import versioned

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/crash":
            versioned.crash()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{versioned.version()} {platform.python_version_tuple()[1]} {os.getpid()}".encode()]
"""
SCIENCE = """
    import io, json
    import numpy
    from cryptography.hazmat.primitives import hashes
    from lxml import etree

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        digest = hashes.Hash(hashes.SHA256())
        digest.update(b"rowhouse")
        schema = etree.XSLT(etree.fromstring(
            '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            '<xsl:template match="/"><n><xsl:value-of select="count(//a)"/></n></xsl:template></xsl:stylesheet>'))
        return [json.dumps({"sum": int(numpy.arange(1000).reshape(10, 100).sum()),
                            "inverse": float(numpy.linalg.inv(numpy.eye(3) * 2)[0, 0]),
                            "digest": digest.finalize().hex(),
                            "count": schema(etree.parse(io.BytesIO(b"<r><a/><a/></r>"))).getroot().text}).encode()]
"""


def build_extension(directory, version, python):
    """Against the headers of the Python that will load it."""
    include = subprocess.run([f"{python.prefix}/bin/python{python.version}", "-Ic",
                              "import sysconfig; print(sysconfig.get_paths()['include'])"],
                             check=True, capture_output=True, text=True).stdout.strip()
    source = directory / "versioned.c"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", f'-DVERSION="{version}"', f"-I{include}", "-o", directory / "versioned.so", source],
                   check=True)


def add_versions(host, tenant, versions):
    """Apps by name: (version of the module, Python)."""
    host.extra_config += "pythons: [" + ", ".join(f'"{row.version}"' for row in PYTHONS) + "]\n"
    for name, (version, python) in versions.items():
        tenant.put(f"{name}/app.py", APP)
        build_extension(tenant.home / name, version, python)
        tenant.own(tenant.home / name)
    tenant.manifest("apps:\n" + "".join(
        f"  {name}: {{ routes: [{tenant.domain}/{name}], wsgi: 'app:application', directory: {name},\n"
        f"    python: '{python.version}', timeouts: {{ startup: 120s }} }}\n" for name, (_, python) in versions.items()))
    host.start(*(f"acme/{name}" for name in versions))


@pytest.mark.parametrize("python", PYTHONS, ids=lambda row: row.version)
def test_two_apps_have_different_versions_of_one_compiled_module(host, python):
    tenant = host.add_tenant("acme")
    add_versions(host, tenant, {"old": ("1.0", python), "new": ("2.0", python)})
    minor = python.version.split(".")[1]
    for _ in range(3):
        assert host.http(tenant.domain, "/old").text.split()[:2] == ["1.0", minor]
        assert host.http(tenant.domain, "/new").text.split()[:2] == ["2.0", minor]


def test_a_crash_in_a_compiled_module_ends_its_worker_only_and_is_explained(host):
    tenant = host.add_tenant("acme")
    add_versions(host, tenant, {"old": ("1.0", PYTHONS[0]), "new": ("2.0", PYTHONS[-1])})
    neighbour = host.http(tenant.domain, "/new").text
    assert host.http(tenant.domain, "/old/crash").status == 502
    last = host.wait_status("acme/old", lambda s: s["last_exit"] and s["state"] == "running")["last_exit"]
    assert (last["code"], last["detail"].split()[0]) == ("RH-SIGNAL", "SIGSEGV")
    wait_until(lambda: "SIGSEGV" in host.cli("explain", "acme/old").out, PATIENCE_S, "the explanation")
    told = host.cli("explain", "acme/old").out
    assert "/old/crash" in told and "Fix:" in told, told
    assert host.http(tenant.domain, "/old").text.split()[0] == "1.0"
    assert host.http(tenant.domain, "/new").text == neighbour, "the other app's worker lives on"


@pytest.mark.parametrize("threads", [1, 4])
def test_numpy_lxml_and_cryptography_work(host, threads):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", SCIENCE)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], wsgi: 'app:application', threads: {threads},\n"
                    "    python: '3.11', timeouts: { startup: 120s } }\n")
    host.start("acme/site")
    for _ in range(5):
        facts = json.loads(host.http(tenant.domain, "/").body)
        assert facts["sum"] == 499500 and facts["inverse"] == 0.5 and facts["count"] == "2"
        assert facts["digest"] == hashlib.sha256(b"rowhouse").hexdigest()
