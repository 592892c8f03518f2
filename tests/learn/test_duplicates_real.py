"""The near-duplicate search on real images; all of them: `make prove`."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.learn.duplicates import find_near_duplicates
from skinbench.store import Store
from tests.prove import duplicates as proof

pytestmark = [pytest.mark.real, pytest.mark.torch, pytest.mark.slow]
OTHERS = 240


def test_known_pairs_are_found_among_others(real_data, real_weights, known_pairs, tmp_path):
    with known_pairs.open(encoding="utf-8") as file:
        known = {tuple(sorted(row.values())) for row in csv.DictReader(file)}
    store = Store(tmp_path)
    request = DataRequest(name="ham", adapter="ham10000", root=real_data / "ham10000")
    manifest = read_manifest(request, store)
    named = manifest.table["image_id"].isin({name for pair in known for name in pair})
    others = manifest.table[~named].iloc[:: len(manifest.table) // OTHERS]
    table = manifest.table[named | manifest.table["image_id"].isin(others["image_id"])]
    few = dataclasses.replace(manifest, table=table.reset_index(drop=True), digest="few")
    found = find_near_duplicates([few], store, weights=real_weights, workers=2)
    pairs = {(pair.left.image_id, pair.right.image_id) for pair in found.pairs}
    assert known <= pairs
    assert len(pairs) <= len(known) + 1


def test_copies_of_real_images_are_found_and_other_lesions_are_not(
    real_data: Path, real_weights: Path, monkeypatch, capsys
):
    monkeypatch.setenv("SKINBENCH_DATA", str(real_data))
    monkeypatch.setenv("SKINBENCH_WEIGHTS", str(real_weights))
    assert proof.main(["--pairs", "60"]) == 0
    assert "of 60 altered copies 1.0000 found" in capsys.readouterr().out
