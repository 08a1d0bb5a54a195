"""What the shells offer while somebody types a rowhouse command: asked of the shells themselves."""
import os
import pty
import select
import shutil
import subprocess
import time

import pytest
from processes import wait_until
from rowhouse_host import BUILD


@pytest.fixture(scope="module")
def typed(shared_host, tmp_path_factory):
    """A directory with the three scripts, and the environment in which `rowhouse` is the command under test."""
    shared_host.gateways = 1
    shared_host.add_probe("acme")
    shared_host.add_probe("globex")
    shared_host.start("acme/site", "globex/site")
    directory = tmp_path_factory.mktemp("completion")
    for shell, name in (("bash", "rowhouse.bash"), ("zsh", "_rowhouse"), ("fish", "rowhouse.fish")):
        (directory / name).write_text(shared_host.cli("completion", shell).out)
    environment = {"PATH": f"{BUILD}:/usr/bin:/bin", "HOME": str(directory), "TERM": "dumb", "LC_ALL": "C.UTF-8",
                   "ROWHOUSE_SOCKET": str(shared_host.socket_path)}
    return directory, environment


CASES = [
    ("st", ["stacks", "start", "status", "stop"]),
    ("status ", ["acme", "acme/site", "globex", "globex/site"]),
    ("restart a", ["acme/site"]),
    ("tenant s", ["set", "show", "suspend"]),
    ("tenant show g", ["globex"]),
    ("top --sort q", ["queue"]),
    ("restart --h", ["--hard", "--help"]),
    ("--json usage a", ["acme"]),
]


@pytest.mark.parametrize("line, offered", CASES)
def test_bash_offers(typed, line, offered):
    directory, environment = typed
    script = f"""source {directory}/rowhouse.bash
compopt() {{ :; }}
IFS=' ' read -ra COMP_WORDS <<<"rowhouse {line}"; [[ "{line}" != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _rowhouse; printf '%s\\n' "${{COMPREPLY[@]}}"; complete -p rowhouse"""
    told = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=True)
    *words, how = told.stdout.splitlines()
    assert sorted(words) == offered and how == "complete -F _rowhouse rowhouse" and told.stderr == ""


@pytest.mark.parametrize("line, offered", CASES)
def test_fish_offers(typed, line, offered):
    directory, environment = typed
    told = subprocess.run(["fish", "--no-config", "-c", f"source {directory}/rowhouse.fish; complete -C 'rowhouse {line}'"],
                          env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert sorted(line.split("\t")[0] for line in told.stdout.splitlines()) == offered and told.stderr == ""


class Terminal:
    """zsh, which completes only where somebody types."""

    def __init__(self, directory, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
        self.text = ""
        self.say(f"PS1=''; fpath=({directory} $fpath); autoload -Uz compinit; compinit -u -D; "
                 "zstyle ':completion:*' list-prompt ''; unsetopt auto_menu list_ambiguous; setopt auto_list; LISTMAX=0; print -r rea''dy")
        self.wait("ready")

    def say(self, line, end="\n"):
        os.write(self.fd, (line + end).encode())

    def wait(self, what):
        deadline = time.monotonic() + 30
        while what not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.fd], [], [], 0.2)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize("line, offered", CASES)
def test_zsh_offers(typed, line, offered):
    directory, environment = typed
    terminal = Terminal(directory, environment)
    try:
        terminal.text = ""
        terminal.say(f"rowhouse {line}", end="\t")
        if len(offered) == 1:  # it is written out
            terminal.wait(f"rowhouse {line.rpartition(' ')[0]} ".replace("  ", " ").rstrip() + " " + offered[0])
        else:
            terminal.say("", end="\t")
            for word in offered:
                terminal.wait(word)
    finally:
        terminal.close()
