"""Builds programs with a wall taken out: of each mutation only the edited files, linked with the rest of a build that
is there already.  The source is never touched: edited files lie in a directory that is searched first."""
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from concurrent import futures

from mutation import programs_of
from mutations import edits_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
GENERATOR, GENERATED, GENERATED_FOR = (
    "supervisor/jail/seccomp_generator.cc", "supervisor/jail/seccomp_filters.h", "supervisor/jail/seccomp.cc")


class CannotBeBuilt(Exception):
    """The text that a mutation takes out is not in the source exactly once, or nothing can be built without it."""


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise CannotBeBuilt(f"{command} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


class Workshop:
    """REQUIRES: `build` is a finished build of this source."""

    def __init__(self, build, mutants):
        self.build, self.mutants = build, mutants
        entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
        self.commands = {self._name(entry): entry for entry in entries if "/unit/" not in entry["output"]}
        self.links = {}

    def _name(self, entry):
        path = (self.build / entry["file"]).resolve()
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

    def make(self, mutation):
        """The directory with the mutated programs, and nothing else."""
        edits = edits_of(mutation)
        directory = self.mutants / mutation.name
        stamp = self.stamp_of(edits)
        if (directory / "stamp").exists() and (directory / "stamp").read_text() == stamp:
            return directory
        shutil.rmtree(directory, ignore_errors=True)
        overlay = directory / "source"
        files = self.write_overlay(overlay, edits)
        programs = {}
        for file in files:
            for source in self.sources_of(overlay, file):
                built = self.compile(overlay, source)
                for program in programs_of(file):
                    programs.setdefault(program, []).append(built)
        for program, objects in programs.items():
            self.link(program, objects, directory / program)
        shutil.rmtree(overlay)
        (directory / "stamp").write_text(stamp)
        return directory

    def stamp_of(self, edits):
        """Changes with the edits, and with anything that is linked to them."""
        programs = sorted({program for file, _, _ in edits for program in programs_of(file)})
        told = [repr(edits), *(f"{p} {(self.build / p).stat().st_mtime_ns}" for p in programs)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    @staticmethod
    def write_overlay(overlay, edits):
        files = []
        for file, old, new in edits:
            path = overlay / file
            text = (path if path.exists() else ROOT / file).read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise CannotBeBuilt(f"{file} has {text.count(old)} times, not once: {old!r}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new), encoding="utf-8")
            if file not in files:
                files.append(file)
        return files

    def sources_of(self, overlay, file):
        """What must be compiled again for an edited file."""
        if file == GENERATOR:
            program = overlay / "generator"
            self.link(GENERATOR.replace("_", "-").removesuffix(".cc"), [self.compile(overlay, file)], program)
            run([program, overlay / GENERATED])
            return [GENERATED_FOR]
        if file.endswith(".cc"):
            return [file]
        beside = pathlib.PurePath(file).parent
        return [name for name in self.commands if pathlib.PurePath(name).parent == beside
                and f'#include "{file}"' in (ROOT / name).read_text(encoding="utf-8")]

    def compile(self, overlay, source):
        entry = self.commands[source]
        edited = overlay / source
        path = edited if edited.exists() else ROOT / source
        output = overlay / f"{source}.o"
        output.parent.mkdir(parents=True, exist_ok=True)
        words, command = iter(shlex.split(entry["command"])), []
        for word in words:
            if word in ("-o", "-c", "-MQ", "-MF"):
                next(words)
            elif word not in ("-MD", "-g", "-O2", "-Werror"):
                command.append(word)
        at = next(i for i, word in enumerate(command) if word.startswith("-"))
        # What a wall needed may be left over without it; that is no reason to stop.
        command[at:at] = [f"-I{overlay}", "-O0", "-w"]
        run([*command, "-c", str(path), "-o", str(output)], cwd=self.build)
        return output

    def link(self, program, objects, output):
        """Ours come before the libraries, which then are not asked for the originals."""
        if program not in self.links:
            told = run(["/usr/bin/ninja", "-C", self.build, "-t", "commands", program], cwd=self.build)
            self.links[program] = shlex.split(told.strip().splitlines()[-1])
        words = list(self.links[program])
        words[words.index("-o") + 1] = str(output)
        mains = [word for word in words if word.endswith(".o")]
        at = words.index(mains[0])
        own_main = any(re.sub(r"\W", "_", str(o)).endswith(re.sub(r"\W", "_", pathlib.PurePath(mains[0]).name))
                       for o in objects)
        words[at:at + 1] = [*map(str, objects)] if own_main else [mains[0], *map(str, objects)]
        run([*words, "-s"], cwd=self.build)


def build_all(workshop, chosen):
    """Names whose edit no longer applies, each with the reason; told on stderr too."""
    wrong = {}

    def build(mutation):
        try:
            workshop.make(mutation)
        except CannotBeBuilt as error:
            wrong[mutation.name] = str(error)
            print(f"mutate: {mutation.name}: {error}", file=sys.stderr)

    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, _ in enumerate(pool.map(build, chosen), 1):
            if number % 20 == 0 or number == len(chosen):
                print(f"mutate: {number} of {len(chosen)} built", file=sys.stderr, flush=True)
    return wrong
