"""The memory probe, on drawn images whose neighbours are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.recognition import recognise, stored_recognition
from skinbench.data.split_tables import sorted_rows, split_of
from skinbench.records import Manifest, Recognition, SplitTable
from skinbench.store import Store

LABELS = ["mel", "nv", "mel", "nv", "nv", "mel"]
GREYS = [10, 200, 14, 196, 12, 204]
"""Images 2 and 3 are like their class in train (0 and 1); 4 and 5 are like the other class."""


@pytest.fixture
def drawn(tmp_path: Path, store: Store) -> Manifest:
    root = tmp_path / "grey"
    root.mkdir()
    for n, grey in enumerate(GREYS):
        Image.fromarray(np.full((60, 80, 3), grey, np.uint8)).save(root / f"i{n}.png")
    table = pd.DataFrame({"image_id": [f"i{n}" for n in range(6)], "label": LABELS})
    table.to_csv(root / "t.csv", index=False)
    request = DataRequest(
        name="d", adapter="csv", root=root, labels=("mel", "nv"), options={"table": "t.csv"}
    )
    return read_manifest(request, store)


def split(copies: list[int] | None = None, *, folds: int = 1) -> SplitTable:
    parts = ["train", "train", "test", "test", "test", "test"]
    rows = [
        (f"i{n}", "d", fold, part, (copies or [1] * 6)[n])
        for fold in range(folds)
        for n, part in enumerate(parts)
    ]
    frame = pd.DataFrame(rows, columns=["image_id", "dataset", "fold", "split", "copies"])
    return split_of("s", sorted_rows(frame), group="given", folds=folds, notes=())


def test_counts_are_those_of_the_nearest_thumbnail(drawn: Manifest, store: Store) -> None:
    (found,) = recognise({"s": split()}, {"d": drawn}, store)
    assert found == Recognition(
        split="s", fold=0, right=2, total=4, per_class={"mel": (1, 2), "nv": (1, 2)}
    )


def test_of_many_test_images_some_are_drawn(
    drawn: Manifest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skinbench.data.recognition.MOST", 3)
    (found,) = recognise({"s": split()}, {"d": drawn}, store)
    assert (found.total, found.drawn) == (3, True)
    assert sum(total for _, total in found.per_class.values()) == 3


def test_an_image_counts_as_often_as_the_split_repeats_it(drawn: Manifest, store: Store) -> None:
    (found,) = recognise({"s": split([1, 1, 3, 1, 1, 2])}, {"d": drawn}, store)
    assert (found.right, found.total, dict(found.per_class)) == (
        4,
        7,
        {"mel": (3, 5), "nv": (1, 2)},
    )


def test_other_classes_in_test_than_in_train_are_not_compared(
    drawn: Manifest, store: Store
) -> None:
    space = replace(drawn.label_space, classes=("rest", "mel"))
    other = replace(drawn, name="e", label_space=space)
    table = split().table.assign(dataset=lambda t: np.where(t["split"] == "test", "e", "d"))
    crossed = split_of("s", sorted_rows(table), group="given", folds=1, notes=())
    assert recognise({"s": crossed}, {"d": drawn, "e": other}, store) == ()
    assert len(recognise({"s": crossed}, {"d": drawn, "e": replace(drawn, name="e")}, store)) == 1


def test_it_is_measured_once(drawn: Manifest, store: Store) -> None:
    splits = {"s": split(folds=2)}
    assert stored_recognition(splits, {"d": drawn}, store) == ()
    found = recognise(splits, {"d": drawn}, store)
    assert [item.fold for item in found] == [0, 1]
    gone = replace(drawn, root=Path("/nowhere"))
    assert recognise(splits, {"d": gone}, store) == found
    renamed = {"t": replace(splits["s"], name="t")}
    assert stored_recognition(renamed, {"d": drawn}, store) == tuple(
        replace(item, split="t") for item in found
    )
