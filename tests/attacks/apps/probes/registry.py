"""What a probe is: a function that tries one thing as tenant code and says what came of it.  The same function runs
in a bare child under the tenant's uid (control) and inside a real worker (walls).

Standard library only, and nothing of the project: this directory is copied into a tenant's home.
"""
import errno
from dataclasses import asdict, dataclass

ATTACK, TWIN = "attack", "twin"


@dataclass
class Outcome:
    """`held`: for an attack, the wall stood; for a twin, it works."""
    held: bool
    text: str

    def as_json(self):
        return asdict(self)


@dataclass(frozen=True)
class Probe:
    identity: str
    name: str
    group: str
    kind: str
    function: object
    held_by_signal: int = 0  # a child that dies of this signal met the wall
    absent_signal: int = 0  # of this one: this machine has not even what the wall is for
    wall: str = ""  # the wall that holds it where older kernels lack that wall, by its name in the status
    tenant: str = "hostile"  # whose worker it runs in: also "recluse" (private network), "clerk" (listed ports)


PROBES = {}


def probe(identity, kind=ATTACK, **options):
    """Registers a function of (context) -> Outcome under the stable id of its clause."""
    def register(function):
        group = function.__module__
        made = Probe(identity, function.__name__, group, kind, function, **options)
        assert identity not in PROBES, identity
        PROBES[identity] = made
        return function
    return register


def works(identity, **options):
    """Registers a twin: a function of (context) -> text that raises when something does not work."""
    def register(function):
        def run(context):
            return Outcome(True, str(function(context) or "works"))
        run.__name__, run.__module__, run.__doc__ = function.__name__, function.__module__, function.__doc__
        probe(identity, TWIN, **options)(run)
        return function
    return register


def name_of(number):
    return errno.errorcode.get(number, str(number)) if number else "ok"


def attempt(action):
    """"ok" or the name of the error."""
    try:
        action()
        return "ok"
    except OSError as error:
        return name_of(error.errno)


def all_held(outcomes, wanted):
    """Held when each of {name: outcome} is one of `wanted`; the text names those that are not."""
    bad = {name: outcome for name, outcome in outcomes.items() if outcome not in wanted}
    said = ", ".join(sorted({str(outcome) for outcome in outcomes.values()}))
    if not bad:
        return Outcome(True, f"{said} ({len(outcomes)} of {len(outcomes)})")
    return Outcome(False, ", ".join(f"{name}: {outcome}" for name, outcome in bad.items()))
