"""Metrics as Prometheus reads them: parsed by its own client library, and checked for what that lets pass."""
import math
import re
import shutil
import subprocess
import time

from prometheus_client.parser import text_string_to_metric_families

SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="[^"\\\n]*",?)*)\})? (\S+)')
SUFFIXES = ("_bucket", "_sum", "_count")


class Metrics:
    """`text` of the text format 0.0.4; raises AssertionError where it is not well formed."""

    def __init__(self, text):
        self.text, self.types, self.values = text, {}, {}
        self._check_lines()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self.values[(sample.name, frozenset(sample.labels.items()))] = sample.value
        self._check_histograms()

    def _check_lines(self):
        """Each metric is one block with one HELP and one TYPE, and no series is there twice."""
        assert self.text.endswith("\n")
        family, seen = None, set()
        lines = iter(self.text.splitlines())
        for line in lines:
            if line.startswith("# HELP "):
                family = line.split(" ")[2]
                kind = next(lines).split(" ")
                assert kind[:3] == ["#", "TYPE", family] and kind[3] in ("counter", "gauge", "histogram"), (line, kind)
                assert family not in self.types, f"two blocks of {family}"
                self.types[family] = kind[3]
                continue
            found = SAMPLE.fullmatch(line)
            assert found, f"no sample: {line!r}"
            name, labels, value = found.groups()
            base = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
            assert (base if self.types[family] == "histogram" else name) == family, f"{line!r} in the block of {family}"
            assert (name, labels) not in seen, f"twice: {line!r}"
            seen.add((name, labels))
            assert math.isfinite(float(value)) and float(value) >= 0, line
            assert self.types[family] != "counter" or name.endswith("_total"), line

    def _check_histograms(self):
        for family in (name for name, kind in self.types.items() if kind == "histogram"):
            series = {}
            for (name, labels), value in self.values.items():
                if name == family + "_bucket":
                    rest = frozenset(pair for pair in labels if pair[0] != "le")
                    series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
            for rest, buckets in series.items():
                buckets.sort()
                counts = [value for _, value in buckets]
                assert counts == sorted(counts) and buckets[-1][0] == math.inf, (family, rest, buckets)
                assert counts[-1] == self.values[(family + "_count", rest)], (family, rest)

    def get(self, name, default=None, **labels):
        return self.values.get((name, frozenset(labels.items())), default)

    def sum(self, name, **labels):
        """Over all series that have these labels."""
        return sum(value for (known, pairs), value in self.values.items()
                   if known == name and set(labels.items()) <= pairs)


def promtool_complaints(text):
    """What Prometheus' own tool says about it; nothing where it is not installed."""
    tool = shutil.which("promtool")
    if tool is None:
        return ""
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def scrape(host, uid=0):
    answer = host.cli("metrics", uid=uid)
    assert answer.code == 0, answer
    return Metrics(answer.out)


def timed(action):
    began = time.monotonic()
    result = action()
    return result, time.monotonic() - began
