"""The manual pages: made of docs/, they can be formatted, found and read on 80 columns."""
import os
import subprocess

import pytest
from rowhouse_host import BUILD

PAGES = {"rowhouse.1": ["explain TENANT/APP", "--since NUMBER"],
         "rowhouse.yaml.5": ["connections_per_address", "memory_high"],
         "rowhouse-manifest.5": ["workers.max", "virtualenv", "rowhouse.yaml(5)"],
         "rowhoused.8": ["--check", "SIGHUP", "rowhouse.yaml(5)"]}


def run(*command):
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "HOME": "/"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.parametrize("page, words", PAGES.items())
def test_a_page_of_the_manual_reads_well(page, words):
    path = os.path.join(BUILD, "packaging", page)
    told = run("man", "--warnings", "-l", path)
    assert told.stderr == ""
    text = " ".join(told.stdout.split()).replace("\N{HYPHEN} ", "")
    assert [word for word in words if word not in text] == []
    assert ".md" not in text and "](" not in text and "|---" not in text
    prose = [line for line in told.stdout.splitlines() if not line.startswith("              ")]
    assert max(map(len, prose)) <= 80, max(prose, key=len)
    # What "man -k" and "whatis" show.
    name = page.rpartition(".")[0]
    assert run("lexgrog", path).stdout.startswith(f'{path}: "{name} - ')
