"""The layer check finds what it is there for."""
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("check_layers.py")


def run(root):
    done = subprocess.run([sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path):
    for directory, text in {"base": "", "proto": '#include "base/a.h"\n', "gateway": '#include "proto/a.h"\n',
                            "supervisor/jail": '#include "proto/a.h"\n'}.items():
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "a.h").write_text(text)
    return tmp_path


def test_a_clean_tree_passes(tree):
    assert run(tree) == (0, "layers: 4 files, 0 problems\n")


@pytest.mark.parametrize("file, line, said", [
    ("base/a.h", '#include "proto/a.h"', "base may not include proto"),
    ("proto/a.h", '#include "gateway/a.h"', "proto may not include gateway"),
    ("gateway/a.h", '#include "supervisor/a.h"', "gateway may not include supervisor"),
    ("supervisor/jail/a.h", '#include "supervisor/a.h"', "supervisor/jail may not include supervisor"),
    ("gateway/a.h", "#include <yaml-cpp/yaml.h>", "belongs to config only"),
    ("supervisor/jail/a.h", "#include <uv.h>", "belongs to base, control, gateway, supervisor only"),
    ("gateway/a.h", "#include <Python.h>", "belongs to worker only"),
    ("gateway/a.h", '#include "nowhere.h"', "no header of the tree"),
    ("base/a.h", "// asks the gateway", "base knows nothing of Rowhouse"),
])
def test_a_crossing_is_named(tree, file, line, said):
    (tree / file).write_text(f"// first line\n{line}\n")
    code, output = run(tree)
    assert code == 1
    assert output.startswith(f"{file}:2: ") and said in output


def test_an_empty_tree_does_not_pass(tmp_path):
    assert run(tmp_path)[0] == 1
