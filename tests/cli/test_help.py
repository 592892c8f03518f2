import subprocess
import sys

import click
import pytest

from skinbench import __version__
from skinbench.cli import cli
from skinbench.cli.commands import SECTIONS
from skinbench.cli.list_command import KINDS

COMMANDS = [name for commands in SECTIONS.values() for name in commands]


def test_help_has_the_commands_in_groups(shell):
    done = shell("--help")
    assert done.code == 0
    lines = done.out.splitlines()
    at = [lines.index(f"{title}:") for title in SECTIONS]
    assert at == sorted(at)
    for title, commands in SECTIONS.items():
        for name, description in commands.items():
            assert any(line.split() == [name, *description.split()] for line in lines), title
    assert "not a medical device" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_in_the_words_of_the_list(shell, name):
    done = shell(name, "-h")
    assert done.code == 0
    assert done.out.startswith(f"Usage: skinbench {name}")
    assert max(map(len, done.out.splitlines())) <= 80
    command = cli.get_command(click.Context(cli), name)
    stated = next(words[name] for words in SECTIONS.values() if name in words)
    assert stated.rstrip(".").split()[0] == (command.help or "").split()[0]
    if "as_json" in {option.name for option in command.params}:
        assert "JSON: " in done.out


def test_without_a_command_the_help_is_shown(shell):
    for words in ((), ("cache",)):
        done = shell(*words)
        assert done.code == 2
        assert "Usage: skinbench" in done.err


def test_version(shell):
    assert shell("--version").out == f"skinbench, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["repot"], "no command 'repot'; did you mean 'report'?; see `skinbench --help`"),
        (["zzz"], "known: audit, cache, card, claims, compare, completion, data, deploy"),
        (["plan"], "Missing argument 'SUITE'; see `skinbench plan --help`"),
        (["plan", "quickstart", "--nope"], "--nope"),
        (["plan", "quickstat"], "did you mean 'quickstart'?"),
        (["list", "modles"], "'modles' is not one of"),
        (["cache", "lst"], "No such command 'lst'"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (["init", "isic"], "'isic' is not one of"),
        (["report"], "Missing argument 'RUN...'"),
        (["report", "absent"], "'absent' does not exist"),
        (["gate", ".", "--baseline", "b.json", "--margin", "2"], "not in the range"),
    ],
)
def test_usage_errors_are_one_line_with_the_next_step(shell, words, part):
    assert part in shell.error(*words)


def test_errors_inside_commands_are_one_line(shell, tmp_path):
    (tmp_path / "bad.yaml").write_text("name: x\ndata: 3\n")
    assert "bad.yaml:2: data: " in shell.error("plan", "bad.yaml")
    assert "scorecard" in shell.error("report", ".", code=1)
    assert "scorecard" in shell.error("gate", ".", "--baseline", "b.json", code=1)
    (tmp_path / "file").write_text("x")
    assert "cannot write" in shell.error("init", "--out", "file/x.yaml", code=1)


def test_a_module_run_as_a_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "skinbench", "zzz"], capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no command 'zzz'")


def test_a_closed_pipe_is_no_traceback():
    command = f"{sys.executable} -m skinbench list --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=240)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("shell_name", "part"),
    [
        ("bash", "complete -o nosort"),
        ("zsh", "#compdef skinbench"),
        ("fish", "complete"),
    ],
)
def test_completion_scripts(shell, shell_name, part):
    done = shell("completion", shell_name)
    assert done.code == 0
    assert part in done.out
    assert "_SKINBENCH_COMPLETE" in done.out


def test_completion_knows_the_commands(shell, monkeypatch):
    from click.shell_completion import BashComplete

    found = BashComplete(cli, {}, "skinbench", "_SKINBENCH_COMPLETE").get_completions([], "re")
    assert [item.value for item in found] == ["report"]
    found = BashComplete(cli, {}, "skinbench", "_SKINBENCH_COMPLETE").get_completions(["list"], "")
    assert [item.value for item in found] == list(KINDS)
