"""Reading commands stay light: a fresh interpreter per command says what it has loaded.

import-linter cannot see what the registry loads by name; this can.
"""

import json
import subprocess
import sys

import pytest

from tests.cli.commands import write_run
from tests.data.csv import make as csv_table
from tests.report.fixture import make_run
from tests.suite.texts import with_changes, write

HEAVY = {
    "torch",
    "timm",
    "ray",
    "torchvision",
    "kornia",
    "captum",
    "cv2",
    "transformers",
    "huggingface_hub",
}
TABLES = {
    "pandas",
    "numpy",
    "pyarrow",
    "scipy",
    "sklearn",
    "matplotlib",
    "pydantic",
    "yaml",
    "rich",
    "jinja2",
    "PIL",
}

PROGRAM = """
import json, sys
from skinbench.cli import main
sys.argv = ["skinbench", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
else:
    code = 0
names = sorted({name.partition(".")[0] for name in sys.modules})
print("\\n@" + json.dumps([code, names]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a suite on drawn lesions, one on a table, and runs to read."""
    root = tmp_path_factory.mktemp("light")
    data = {"drawn": {"adapter": "synthetic", "options": {"lesions": 40, "size": 32}}}
    model = {"name": "mobilenetv2_100", "frozen": True}
    rows = {"a": {"model": model, "augment": "p1"}, "b": {"model": "resnet50"}}
    grids = {
        "g": {
            "model": "baseline_cnn",
            "technique": ["class_weights", "focal"],
            "input": ["image", "fusion_concat", "fusion_p1", "metadata"],
        }
    }
    write(root, with_changes(data=data, rows=rows, grids=grids), "drawn.yaml")
    claims = {"claims": [{"row": "a", "metric": "accuracy", "value": 0.9, "source": "x"}]}
    write(root, claims, "drawn_claims.yaml")
    csv_table.make(root / "table", images=24)
    options = {"table": "metadata.csv", **csv_table.OPTIONS}
    mine = {
        "adapter": "csv",
        "root": "table",
        "options": options,
        "labels": ["Melanoma", "Benign nevus", "Other"],
    }
    text = with_changes(data={"drawn": mine}, rows={"a": {"model": "baseline_cnn"}})
    write(root, text, "table.yaml")
    make_run(root / "reported")
    write_run(root / "judged")
    return root


def loaded(place, *words):
    """Exit code and top-level modules after a command."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "SKINBENCH_STORE": str(place / "store"),
        "COLUMNS": "80",
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    code, names = json.loads(done.stdout.rpartition("@")[2])
    return code, set(names), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "models", "--json"],
        ["plan", "drawn.yaml"],
        ["plan", "table.yaml", "--json"],
        ["audit", "drawn.yaml", "--page", "pairs.html"],
        ["audit", "drawn.yaml", "--json", "--no-near-duplicates"],
        ["report", "reported"],
        ["power", "judged", "--simulations", "200"],
        ["compare", "judged", "judged", "--metric", "recall:mel"],
        ["schema"],
        ["data", "check", "--help"],
        ["data", "download", "--help"],
        ["doctor"],
        ["claims", "drawn_claims.yaml"],
        ["cache", "list"],
        ["cache", "verify"],
        ["init", "--out", "new.yaml", "--force"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_no_reading_command_loads_what_trains(place, words):
    code, names, error = loaded(place, *words)
    assert code == 0, error
    assert not names & HEAVY


@pytest.mark.slow
def test_the_gate_loads_nothing_that_trains(place):
    for last in ("--update-baseline", "--json"):
        code, names, error = loaded(place, "gate", "judged", "--baseline", "b.json", last)
        assert code == 0, error
        assert not names & HEAVY


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["completion", "bash"]], ids=" ".join)
def test_help_loads_next_to_nothing(place, words):
    assert not loaded(place, *words)[1] & (HEAVY | TABLES)


@pytest.mark.parametrize(
    "command", ["run", "gate", "power", "compare", "report", "plan", "audit", "init", "list"]
)
def test_the_help_of_a_command_loads_no_tables(place, command):
    names = loaded(place, command, "--help")[1]
    assert not names & (HEAVY | (TABLES - {"numpy", "pandas", "pyarrow", "pydantic", "yaml"}))


def test_a_mistake_is_found_without_torch(place):
    code, names, error = loaded(place, "run", "nosuch.yaml")
    assert code in (1, 2)
    assert error.startswith("error: ")
    assert not names & HEAVY


def test_importing_the_package_loads_nothing(place):
    program = "import sys, skinbench; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240
    )
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert not names & (HEAVY | TABLES)


def test_a_leaderboard_on_the_terminal_draws_nothing():
    """A finished run that is started again prints one, and should take no time."""
    program = (
        "import sys, skinbench.report.leaderboard, skinbench.pipeline.run, "
        "skinbench.pipeline.field_effects, skinbench.pipeline.predicting; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240
    )
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert not names & (HEAVY | {"matplotlib", "scipy"})
