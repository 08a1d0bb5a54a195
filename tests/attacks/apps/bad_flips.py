"""Changes what a name means while somebody else is using it."""
import os
import threading
import time


class Flipper:
    """Exchanges what stands at `path`: `one` of the tenant's own and `other`, as fast as it can, until stopped."""

    def __init__(self, path, target):
        self.path, self.target, self.rounds = path, target, 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        aside, staged = self.path + ".aside", self.path + ".staged"
        while not self.stopping.is_set():
            os.rename(self.path, aside)
            os.symlink(self.target, staged)
            os.rename(staged, self.path)
            os.unlink(self.path)
            os.rename(aside, self.path)
            self.rounds += 1


FLIPPERS = []


def start_flipping(path, target):
    FLIPPERS.append(Flipper(path, target))
    return "flipping"


def stop_flipping():
    flipper = FLIPPERS.pop()
    flipper.stopping.set()
    flipper.thread.join()
    return flipper.rounds


def stopped():
    return not FLIPPERS


def look_then_open(path, owner, seconds, marker):
    """What a careless server does: is it the owner's, is it no link?  Then it opens.  Whether it was fooled."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            status = os.lstat(path)
            if status.st_uid != owner or os.path.islink(path):
                continue
            with open(path, encoding="utf-8") as file:
                if marker in file.read():
                    return "fooled"
        except OSError:
            continue
    return "not fooled"


def open_through(path, seconds, marker):
    """Opens a path whose directories may be links by then.  Whether it was led elsewhere."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(path, encoding="utf-8") as file:
                if marker in file.read():
                    return "led outside"
        except OSError:
            continue
    return "not led outside"


def close_and_open(path, seconds):
    """Takes away and gives back all rights to a directory, and its name; ends with the directory in its place."""
    deadline, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        os.chmod(path, 0)
        time.sleep(0.01)
        os.chmod(path, 0o755)
        os.rename(path, path + ".away")
        time.sleep(0.01)
        os.rename(path + ".away", path)
        time.sleep(0.01)
        rounds += 1
    return rounds
