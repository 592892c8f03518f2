"""A node that is killed under a run costs time and nothing else; more in tests/prove/nodes.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.pipeline import Options, run_suite
from skinbench.store import RunFolder, Store
from skinbench.suite import load_suite
from tests.pipeline.nodes import nodes, release, write
from tests.pipeline.test_faults import states
from tests.pipeline.tiny import finish, start

pytestmark = [pytest.mark.ray, pytest.mark.torch, pytest.mark.slow]

ROWS = """
plugins: [waits.py, patient.py]
inference: {engine: process}
rows:
  a: {model: patient, technique: waits, early_stopping: null, seeds: [0, 1]}
"""


def test_a_node_killed_in_training_changes_no_byte(tmp_path: Path, ray_address: str) -> None:
    suite = write(tmp_path, ROWS, held=("training",))
    with nodes() as cluster:
        process = start(suite, tmp_path / "run", tmp_path / "store", "--address", cluster.address)
        cluster.kill_where(tmp_path, "training", cluster.others[0], process)
        release(tmp_path, "training")
        code, out, err = finish(process)
    assert code == 0, out + err
    assert not states(tmp_path / "store")
    assert not Store(tmp_path / "store").verify()

    options = Options(
        folder=tmp_path / "peace", store=Store(tmp_path / "other"), address=ray_address
    )
    run_suite(load_suite(suite), options)
    ours, theirs = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "peace")
    assert ours.scorecard.read_bytes() == theirs.scorecard.read_bytes()
    tables = sorted(path.name for path in theirs.predictions.glob("*.parquet"))
    assert len(tables) == 2
    for name in tables:
        assert (ours.predictions / name).read_bytes() == (theirs.predictions / name).read_bytes()
