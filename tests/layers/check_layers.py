#!/usr/bin/python3
"""Refuses an include that crosses the layers of the house.

base <- proto <- {config, supervisor, supervisor/jail, worker, gateway, control, cli}; the programs never
include each other.  A few libraries are confined too: what parses foreign bytes stays in one program.

Usage: check_layers.py [--root DIR]; exits 1 and names every offending line.
"""
import argparse
import pathlib
import re
import sys

# Longest directory first: a file belongs to the first one that holds it.
MAY_INCLUDE = {
    "supervisor/jail": {"base", "proto", "supervisor/jail"},
    "base": {"base"},
    "proto": {"base", "proto"},
    "config": {"base", "proto", "config"},
    "supervisor": {"base", "proto", "supervisor"},
    "worker": {"base", "proto", "worker"},
    "gateway": {"base", "proto", "gateway"},
    "control": {"base", "proto", "control"},
    "cli": {"base", "proto", "cli"},
}

# A header of a library, and the only directories that may include it.
CONFINED = {
    r"yaml-cpp/": {"config"},
    r"nlohmann/": {"control", "cli"},
    r"(Python\.h|structmember\.h|datetime\.h)$": {"worker"},
    r"llhttp\.h$": {"gateway", "control"},
    r"CLI/": {"cli"},
    r"curl/": {"cli"},
    r"uv\.h$": {"base", "supervisor", "gateway", "control"},
}

# Words of the product that base must not know.
PRODUCT_WORDS = re.compile(r"\b(tenant|gateway|steward|lifeline|manifest)\b", re.IGNORECASE)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
SOURCES = {".h", ".cc", ".c", ".hpp", ".cpp"}


def layer_of(path):
    """The layer that holds a path below the root, or None."""
    text = path.as_posix()
    for layer in sorted(MAY_INCLUDE, key=len, reverse=True):
        if text.startswith(layer + "/"):
            return layer
    return None


def included_layer(root, file, name):
    """The layer of an included project header; the including file's own for a bare sibling name."""
    if (root / name).exists() or "/" in name:
        return layer_of(pathlib.PurePosixPath(name))
    if (file.parent / name).exists():
        return layer_of((file.parent / name).relative_to(root))
    return None


def problem_of(root, file, layer, quote, name):
    for pattern, homes in CONFINED.items():
        if re.match(pattern, name) and layer not in homes:
            return f"<{name}> belongs to {', '.join(sorted(homes))} only"
    if quote == "<":
        return None
    other = included_layer(root, file, name)
    if other is None:
        return f'"{name}" is no header of the tree'
    if other not in MAY_INCLUDE[layer]:
        return f"{layer} may not include {other} ({name})"
    return None


def source_files(root):
    for layer in MAY_INCLUDE:
        for file in sorted((root / layer).rglob("*")):
            if file.suffix in SOURCES and layer_of(file.relative_to(root)) == layer:
                yield layer, file


def check(root):
    problems, files = [], 0
    for layer, file in source_files(root):
        files += 1
        for number, line in enumerate(file.read_text().splitlines(), 1):
            where = f"{file.relative_to(root)}:{number}"
            match = INCLUDE.match(line)
            problem = match and problem_of(root, file, layer, *match.groups())
            if problem:
                problems.append(f"{where}: {problem}")
            elif layer == "base" and PRODUCT_WORDS.search(line):
                problems.append(f"{where}: base knows nothing of Rowhouse, but this line does: {line.strip()}")
    return files, problems


def main():
    parser = argparse.ArgumentParser(description="Checks who includes whom.")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    files, problems = check(parser.parse_args().root)
    if not files:
        problems = ["no source files found"]
    for problem in problems:
        print(problem)
    print(f"layers: {files} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
