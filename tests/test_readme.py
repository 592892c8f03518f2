"""Every command of the README runs, its suite is valid, its file tree is true."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from skinbench.suite import load_suite
from tests.data.ham10000.make import make

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = ROOT / "src" / "skinbench"


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """Every line of the shell blocks, without its comment."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.strip()]


def test_the_two_commands_come_first_and_do_what_they_say() -> None:
    assert commands()[:2] == ["make demo", "make test"]
    for target, expected in {"demo": "run suites/quickstart.yaml", "test": "pytest"}.items():
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert expected in done.stdout


def test_the_extras_that_are_named_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {name for line in commands() for name in re.findall(r"skinbench\[(\w+)\]", line)}
    assert named
    assert named <= set(project["optional-dependencies"])


def test_the_annotated_suite_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "readme.yaml"
    path.write_text(next(block for block in blocks("yaml") if "my_table" in block))
    rows = [row.name for row in load_suite(path).rows]
    assert "techniques/focal-image" in rows
    assert "techniques/focal-fusion_concat" not in rows
    assert load_suite(path, profile="laptop").reduced


def test_the_plug_in_is_taken_by_a_suite(tmp_path: Path) -> None:
    code = next(block for block in blocks("python") if "KIND" in block)
    (tmp_path / "smoothed.py").write_text(code)
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nplugins: [smoothed.py]\ndata: {d: {adapter: synthetic}}\n"
        "splits: {s: {data: d, test: 0.2}}\n"
        "rows: {a: {model: baseline_cnn, split: s,"
        " technique: {name: smoothed, options: {eps: 0.2}}}}\n"
    )
    assert load_suite(path).rows[0].settings.technique.name == "smoothed"


def test_the_quoted_mistake_reads_as_quoted(tmp_path: Path) -> None:
    quoted = re.search(r"`my\.yaml:\d+: (rows\.a\.technique: [^`]+)`", README)
    assert quoted
    path = tmp_path / "my.yaml"
    path.write_text(
        "name: my\ndata: {d: {adapter: synthetic}}\n"
        "splits: {s: {data: d, test: 0.2}}\n"
        "rows: {a: {model: baseline_cnn, split: s, technique: focl}}\n"
    )
    with pytest.raises(Exception, match=re.escape(quoted[1])):
        load_suite(path)


def tree() -> str:
    """The file tree, each file with the first line of its docstring."""
    lines = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda p: (p.parent.as_posix(), p.name)):
        name = path.relative_to(PACKAGE)
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        indent = "  " * (len(name.parts) - 1)
        if path.name == "__init__.py":
            folder = name.parent.name + "/" if name.parent.parts else "src/skinbench/"
            indent = "  " * (len(name.parts) - 2) if name.parent.parts else ""
            lines.append((name.parent.parts, 0, f"{indent}{folder}", text))
        else:
            lines.append((name.parent.parts, 1, f"{indent}{name.name}", text))
    lines.sort(key=lambda item: (item[0], item[1], item[2]))
    first = [f"{left:<34} {text.partition(chr(10))[0]}".rstrip() for *_, left, text in lines]
    return "\n".join(first)


def test_the_file_tree_is_true() -> None:
    if os.environ.get("SKINBENCH_WRITE_GOLDEN"):
        block = f"<!-- tree -->\n```text\n{tree()}\n```\n<!-- /tree -->"
        written = re.sub(r"<!-- tree -->.*?<!-- /tree -->", lambda _: block, README, flags=re.S)
        (ROOT / "README.md").write_text(written, encoding="utf-8")
        return
    shown = re.search(r"<!-- tree -->\n```text\n(.*?)\n```", README, flags=re.DOTALL)
    assert shown
    assert shown[1] == tree(), "SKINBENCH_WRITE_GOLDEN=1 pytest tests/test_readme.py writes it anew"


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder to type the commands in, with a small fake HAM10000 and made weights."""
    import timm
    from safetensors.torch import save_file

    root = tmp_path_factory.mktemp("readme")
    make(root / "data" / "ham10000", lesions_per_class=10)
    (root / "weights").mkdir()
    network = timm.create_model("mobilenetv2_100", num_classes=7)
    save_file(network.state_dict(), root / "weights" / "mobilenetv2_100_rot180.safetensors")
    environment = {
        **os.environ,
        "SKINBENCH_STORE": str(root / "store"),
        "SKINBENCH_DATA": str(root / "data"),
        "SKINBENCH_WEIGHTS": str(root / "weights"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    return root, environment


@pytest.mark.ray
@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_command_runs(playground: tuple[Path, dict[str, str]]) -> None:
    root, environment = playground
    # `data download` asks the outside world; tests/cli/test_data.py runs it on a local server.
    # `serve` runs until it is stopped; tests/serve opens it in a browser.
    # `submit` and `jobs` need a Ray head with a job server, as tests/cluster/test_submit.py has.
    left_out = ("make", "pip", "export", "skinbench data download", "skinbench serve")
    left_out += ("skinbench submit", "skinbench jobs")
    typed = [line for line in commands() if not line.startswith(left_out)]
    assert len(typed) > 10
    for line in typed:
        words = shlex.split(re.sub(r" > \S+$", "", line))
        assert words[0] == "skinbench", line
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert "Traceback" not in done.stderr, (line, done.stderr)
        # `report` and `gate` on an untouched run pass; the tiny fake has too few melanomas.
        expected = 1 if line.startswith("skinbench data check") else 0  # it has too few images
        assert done.returncode == expected, (line, done.stdout, done.stderr)


@pytest.mark.ray
@pytest.mark.torch
@pytest.mark.slow
def test_the_notebook_lines_run(playground: tuple[Path, dict[str, str]]) -> None:
    root, environment = playground
    code = next(block for block in blocks("python") if "load_suite" in block)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
