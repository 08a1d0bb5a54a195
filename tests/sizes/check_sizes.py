#!/usr/bin/python3
"""Refuses files over 400 lines and functions over 60, unless exceptions.txt gives a reason.

A line of exceptions.txt is `PATH LIMIT reason` for a file or `PATH:FUNCTION LIMIT reason` for a function.
An exception that nothing needs any more is a problem too.

Usage: check_sizes.py [--root DIR]; exits 1 and names every offender.
"""
import argparse
import ast
import pathlib
import re
import sys

FILE_LINES = 400
FUNCTION_LINES = 60
SKIPPED_DIRECTORIES = {".git", "__pycache__", "node_modules"}
CPP = {".h", ".cc", ".c"}
CONTROL_WORDS = re.compile(r"\b(if|for|while|switch|catch|do|else|try)\b\s*(\(|$)")
CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$")
NAME = re.compile(r"([~\w:]+|operator\s*\S+)\s*\($")


def code_only(text):
    """The text with comments, strings and character literals blanked; line ends stay."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    blanked = pattern.sub(lambda m: "\n" * m.group(0).count("\n") + "_", text)
    return re.sub(r"(?m)^\s*#.*?(?<!\\)$", "", blanked)


def function_name(head):
    """The name before the first top-level parenthesis of what stands before a `{`."""
    depth = 0
    for index, char in enumerate(head):
        if char == "(" and depth == 0:
            match = NAME.search(head[:index + 1])
            if match:
                return match.group(1)
        depth += (char == "(") - (char == ")")
    return None


def cpp_functions(text):
    """(name, first line, last line) of every function that stands in a namespace or class."""
    stack, head, head_line, line = [], "", 1, 1
    for char in code_only(text):
        if char == "\n":
            line += 1
        if not head.strip():
            head_line = line
        if char == "{":
            in_container = all(kind == "container" for kind, _, _ in stack)
            is_container = in_container and CONTAINER.search(head.split(";")[-1])
            name = None if is_container or not in_container or CONTROL_WORDS.search(head) else function_name(head)
            stack.append(("container" if is_container else "block", name, head_line))
            head = ""
        elif char == "}" and stack:
            kind, name, first = stack.pop()
            if name:
                yield name, first, line
            head = ""
        elif char == ";":
            head = ""
        else:
            head += char


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def shell_functions(text):
    name, first = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"(\w+)\(\) *[{(]", line)
        if match and not name:
            name, first = match.group(1), number
        if name and re.match(r"[})]", line):
            yield name, first, number
            name = None


def language_of(file, text):
    if file.suffix in CPP:
        return cpp_functions
    if file.suffix == ".py" or text.startswith("#!/usr/bin/python3"):
        return python_functions
    if file.suffix == ".sh" or text.startswith(("#!/bin/bash", "#!/bin/sh", "#!/usr/bin/env bash")):
        return shell_functions
    return None


def measured(root):
    """(what, lines, limit) of every file and function."""
    for file in sorted(root.rglob("*")):
        relative = file.relative_to(root)
        skipped = SKIPPED_DIRECTORIES.intersection(relative.parts) or relative.parts[0].startswith("build")
        if skipped or not file.is_file() or file.is_symlink():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        functions = language_of(file, text)
        if functions is None:
            continue
        yield str(relative), text.count("\n"), FILE_LINES
        for name, first, last in functions(text):
            yield f"{relative}:{name}", last - first + 1, FUNCTION_LINES


def read_exceptions(path):
    exceptions = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3:
            raise SystemExit(f"{path}:{number}: an exception is PATH[:FUNCTION] LIMIT reason")
        exceptions[parts[0]] = int(parts[1])
    return exceptions


def check(root):
    exceptions = read_exceptions(root / "tests/sizes/exceptions.txt")
    problems, needed, count = [], set(), 0
    for what, lines, limit in measured(root):
        count += 1
        if lines <= limit:
            continue
        needed.add(what)
        if lines > exceptions.get(what, limit):
            problems.append(f"{what}: {lines} lines, at most {exceptions.get(what, limit)}")
    problems += [f"{what}: an exception that nothing needs any more" for what in exceptions.keys() - needed]
    return count, problems


def main():
    parser = argparse.ArgumentParser(description="Checks the sizes of files and functions.")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    count, problems = check(parser.parse_args().root)
    if not count:
        problems = ["nothing found to measure"]
    for problem in problems:
        print(problem)
    print(f"sizes: {count} files and functions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
