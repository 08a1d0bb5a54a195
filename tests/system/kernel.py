"""What the kernel of this machine has."""
import ctypes

CREATE_RULESET, VERSION = 444, 1  # landlock_create_ruleset(2), its flag


def landlock_abi():
    """0 or less without Landlock."""
    return ctypes.CDLL(None, use_errno=True).syscall(CREATE_RULESET, None, 0, VERSION)
