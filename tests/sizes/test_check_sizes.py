"""The size check measures what it says, and exceptions do not pile up."""
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("check_sizes.py")


def run(root):
    done = subprocess.run([sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def cpp_function(lines):
    body = "  call({1, 2});  // a brace in a comment: {\n" * (lines - 2)
    return f"namespace a {{\nclass B {{\n  int f(int x) {{\n{body}  }}\n}};\n}}\n"


def python_function(lines):
    return "def f():\n" + "    pass\n" * (lines - 1)


def shell_function(lines):
    return "#!/bin/bash\nf() {\n" + "  true\n" * (lines - 2) + "}\n"


@pytest.mark.parametrize("name, make", [("a.cc", cpp_function), ("a.py", python_function), ("a", shell_function)])
def test_a_function_of_60_lines_passes_and_one_of_61_is_named(tmp_path, name, make):
    (tmp_path / name).write_text(make(60))
    assert run(tmp_path)[0] == 0
    (tmp_path / name).write_text(make(61))
    code, output = run(tmp_path)
    assert code == 1
    assert f"{name}:f: 61 lines, at most 60" in output


def test_a_file_of_401_lines_is_named(tmp_path):
    (tmp_path / "a.h").write_text("int a;\n" * 400)
    assert run(tmp_path)[0] == 0
    (tmp_path / "a.h").write_text("int a;\n" * 401)
    assert "a.h: 401 lines, at most 400" in run(tmp_path)[1]


def test_an_exception_holds_up_to_its_own_limit(tmp_path):
    (tmp_path / "tests/sizes").mkdir(parents=True)
    (tmp_path / "tests/sizes/exceptions.txt").write_text("a.h 500 a table of 450 rows\n")
    (tmp_path / "a.h").write_text("int a;\n" * 450)
    assert run(tmp_path)[0] == 0
    (tmp_path / "a.h").write_text("int a;\n" * 501)
    assert "a.h: 501 lines, at most 500" in run(tmp_path)[1]


def test_an_exception_that_nothing_needs_is_a_problem(tmp_path):
    (tmp_path / "tests/sizes").mkdir(parents=True)
    (tmp_path / "tests/sizes/exceptions.txt").write_text("a.h 500 once long\n")
    (tmp_path / "a.h").write_text("int a;\n")
    code, output = run(tmp_path)
    assert code == 1 and "nothing needs any more" in output


def test_an_exception_without_a_reason_is_refused(tmp_path):
    (tmp_path / "tests/sizes").mkdir(parents=True)
    (tmp_path / "tests/sizes/exceptions.txt").write_text("a.h 500\n")
    (tmp_path / "a.h").write_text("int a;\n")
    assert run(tmp_path)[0] == 1
