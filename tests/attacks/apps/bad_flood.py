"""Output without end."""
import os
import time


def shout_into(path, seconds):
    """Into a file of the tenant's own: what nobody limits."""
    deadline, written, block = time.monotonic() + seconds, 0, b"x" * (1 << 20)
    with open(path, "wb", buffering=0) as file:
        while time.monotonic() < deadline:
            written += file.write(block)
            if written > 256 << 20:
                file.seek(0)
                file.truncate()
    return written


def shout_one_line(seconds):
    """To the log, without an end of line."""
    deadline, written, block = time.monotonic() + seconds, 0, b"x" * 65536
    while time.monotonic() < deadline:
        written += os.write(2, block)
    return written
