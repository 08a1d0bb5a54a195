"""A running rowhouse-control with two tenants, for each test."""
import pytest
from control_driver import ACME_UID, GLOBEX_UID, App, Control


@pytest.fixture
def control(request):
    made = Control()
    made.add_admin(0)
    made.add_tenant("acme", ACME_UID)
    made.add_tenant("globex", GLOBEX_UID)
    made.settle()
    yield made
    problems = made.finish()
    failed = getattr(request.node, "outcome_of_call", None)
    if problems or (failed and failed.failed):
        print(f"--- rowhouse-control of {request.node.name} ---\n{made.stderr[-10000:]}")
    made.remove()
    assert not problems, "\n".join(problems)


@pytest.fixture
def site(control):
    """acme/site, running with one worker."""
    app = App(17, "acme", "site", workers=[(1, 1, 4242, 2, 12, 34567890)])
    control.apps.append(app)
    return app


@pytest.fixture
def shop(control):
    """globex/shop, the neighbour."""
    app = App(18, "globex", "shop", workers=[(1, 1, 4343, 2, 1, 1000)])
    control.apps.append(app)
    return app
