"""Fixtures of the hostile worker: one host for each module, a fresh evil worker for each deed."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import evil as evil_tenant  # noqa: E402


@pytest.fixture(scope="module")
def evil_host(module_host, share):
    """A host whose tenant `evil` has nothing but hostile workers, behind one gateway."""
    apps = evil_tenant.install(module_host)
    share(module_host)
    module_host.evil_apps = {app.name: app for app in apps}
    module_host.evil_order = [app for app in apps if app.name.startswith("e")]
    return module_host


class Evil:
    """Hands out copies of the evil app, the one that was used longest ago first."""

    def __init__(self, host):
        self.host, self.used = host, []

    def take(self):
        app = self.host.evil_order.pop(0)
        self.host.evil_order.append(app)
        return self.use(app)

    def named(self, name):
        return self.use(self.host.evil_apps[name])

    def use(self, app):
        app.wait_running()
        self.used.append(app)
        return app


@pytest.fixture
def evil(evil_host):
    """Afterwards every copy that was used is there again, so that the next case sees what it will leave."""
    handed_out = Evil(evil_host)
    yield handed_out
    for app in handed_out.used:
        app.wait_running()


@pytest.fixture
def gateway(evil_host):
    return evil_tenant.Gateway(evil_host)


@pytest.fixture(autouse=True)
def neighbour(evil_host):
    """Asks its own app all the time; no case may cost it an answer or much time."""
    client = evil_tenant.Neighbour(evil_host)
    client.start()
    client.wait_more(5)
    yield client
    client.finish()
