"""What goes on beside a test, from the begin of a `with` to its end."""
import threading
import time


class Background:
    """Threads that each run `run(number)`, which returns when `self.stop` is set, within END_S."""

    END_S = 10

    def __init__(self, threads=1):
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self._threads:
            thread.join(self.END_S)
            assert not thread.is_alive(), f"a thread of {type(self).__name__} hangs"

    def run(self, number):
        raise NotImplementedError


class Peak(Background):
    """The most that `count` has ever said, asked again and again."""

    def __init__(self, count):
        super().__init__()
        self.count, self.most = count, 0

    def run(self, number):
        while not self.stop.wait(0.02):
            self.most = max(self.most, self.count())


class Asking(Background):
    """Clients; `counts` has their answers by status, `answered_at` when the good ones came."""

    END_S, PATIENCE_S = 30, 20

    def wait_for(self, answers, seconds=None):
        """Until that many more requests have been answered with 200."""
        seconds = seconds or self.PATIENCE_S
        goal, deadline = self.counts[200] + answers, time.monotonic() + seconds
        while self.counts[200] < goal:
            assert time.monotonic() < deadline, f"only {self.counts} after {seconds} s"
            time.sleep(0.005)

    def longest_silence(self):
        """Seconds between two good answers, at most."""
        times = sorted(self.answered_at)
        return max((after - before for before, after in zip(times, times[1:])), default=0.0)
