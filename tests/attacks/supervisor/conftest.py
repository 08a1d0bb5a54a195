"""The attacker behind the walls and as a bare child of the same uid, on the `street` of each module."""
import pytest
from actors import Bare, Walled


@pytest.fixture
def acme(street):
    return Walled(street, street.tenants["acme"])


@pytest.fixture
def bare(street):
    with Bare(street.tenants["acme"]) as child:
        yield child
