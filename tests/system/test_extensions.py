"""Compiled modules: each app has its own, whatever version its neighbour of the same tenant uses."""
import hashlib
import json
import subprocess
import sysconfig

import pytest

SOURCE = r"""
#include <Python.h>
static PyObject *version(PyObject *self, PyObject *none) { return PyUnicode_FromString(VERSION); }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, "version()"}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "versioned", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_versioned(void) { return PyModule_Create(&definition); }
"""
APP = """
    import versioned

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [versioned.version().encode()]
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


def build_extension(directory, version):
    source = directory / "versioned.c"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", f'-DVERSION="{version}"', f"-I{sysconfig.get_paths()['include']}",
                    "-o", directory / "versioned.so", source], check=True)


def test_two_apps_have_different_versions_of_one_compiled_module(host):
    tenant = host.add_tenant("acme")
    for name, version in (("old", "1.0"), ("new", "2.0")):
        tenant.put(f"{name}/app.py", APP)
        build_extension(tenant.home / name, version)
        tenant.own(tenant.home / name)
    tenant.manifest("apps:\n" + "".join(
        f"  {name}: {{ routes: [{tenant.domain}/{name}], wsgi: 'app:application', directory: {name}, python: '3.11' }}\n"
        for name in ("old", "new")))
    host.start("acme/old", "acme/new")
    for _ in range(3):
        assert host.http(tenant.domain, "/old").text == "1.0"
        assert host.http(tenant.domain, "/new").text == "2.0"


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
