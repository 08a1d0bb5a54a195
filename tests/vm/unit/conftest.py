"""Fixtures of the tests that run inside the virtual machine: an installed Rowhouse in its systemd unit.

The machine is a throw-away, so what these fixtures install stays.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "system"))

import installed  # noqa: E402


def pytest_configure(config):
    in_machine = pathlib.Path("/mnt/install").is_dir() and pathlib.Path("/proc/1/comm").read_text() == "systemd\n"
    if not in_machine:
        pytest.exit("these tests install Rowhouse into the machine they run on: start them with tests/vm/run", 2)


@pytest.fixture(scope="session")
def machine():
    """Rowhouse installed, with three tenants: acme (Django), globex (Flask), initech (an app that eats memory)."""
    return installed.install()


@pytest.fixture
def unit(machine):
    """The unit, running, with every app up.  It stays up: starting Django anew for each test takes too long."""
    machine.start()
    return machine
