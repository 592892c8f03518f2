"""What a memory would score: the label of the nearest train thumbnail, on each split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.images import Progress, usable_cores
from skinbench.data.pixels import PixelRows, build_pixels
from skinbench.records import Manifest, Recognition, SplitTable
from skinbench.store import Store, content_digest, read_record, write_json

_VERSION = 2
SIDE = 48
"""Pixels of the squares that thumbnails are made from; twice the thumbnails' width."""
MOST = 10_000
"""Test images of a fold that are looked up among its train images: all would take as long as the
square of the dataset."""
_MODEL = "nearest_neighbour"
_FILE = "recognition.json"


@dataclass(frozen=True, kw_only=True)
class _Folds:
    """What is kept in the store for a split."""

    folds: tuple[Recognition, ...]


def recognise(
    splits: Mapping[str, SplitTable],
    manifests: Mapping[str, Manifest],
    store: Store,
    progress: Progress | None = None,
) -> tuple[Recognition, ...]:
    """For each split and fold, how far the nearest train thumbnail alone gets on test.

    Splits whose test has other classes than their train are left out. Of a fold with more than
    10,000 test images, as many are drawn.

    The same rule as the baseline `nearest_neighbour`, on thumbnails of its own, so that it needs
    no fit: 10,000 images of 200x150 take some ten seconds, and nothing when asked again.

    Args:
        splits: by name, as used.
        manifests: by name, every dataset that a split uses; their roots hold the files.
        store: holds the small pixels and the answers.
        progress: called as images are decoded.

    Raises:
        DataError: a file is gone, or is not the one that the manifest was made from.
        StoreError: the store cannot be written.
    """
    found: list[Recognition] = []
    for split in splits.values():
        if not _one_language(split, manifests):
            continue
        key = _key(split, manifests)
        if not store.has("recognition", key):
            _publish(_folds(split, manifests, store, progress), key, store)
        found += _read(split, key, store)
    return tuple(found)


def stored_recognition(
    splits: Mapping[str, SplitTable], manifests: Mapping[str, Manifest], store: Store
) -> tuple[Recognition, ...]:
    """What `recognise` has found before; splits that it has not seen are left out."""
    found: list[Recognition] = []
    for split in splits.values():
        key = _key(split, manifests)
        if _one_language(split, manifests) and store.has("recognition", key):
            found += _read(split, key, store)
    return tuple(found)


def _one_language(split: SplitTable, manifests: Mapping[str, Manifest]) -> bool:
    """Whether train and test name their classes alike, so that labels can be held together."""
    names = [
        {code for d in datasets for code in manifests[d].label_space.classes}
        for datasets in (
            split.table.loc[split.table["split"] == part, "dataset"].unique()
            for part in ("train", "test")
        )
    ]
    return names[0] <= names[1] or names[1] <= names[0]


def _key(split: SplitTable, manifests: Mapping[str, Manifest]) -> str:
    used = sorted(split.table["dataset"].unique())
    digests = {name: manifests[name].digest for name in used}
    version = registry.models.get(_MODEL).version
    return content_digest(["recognition", _VERSION, version, SIDE, split.digest, digests])


def _publish(folds: list[Recognition], key: str, store: Store) -> None:
    kept = _Folds(folds=tuple(folds))
    store.publish("recognition", key, lambda folder: write_json(folder / _FILE, kept))


def _read(split: SplitTable, key: str, store: Store) -> list[Recognition]:
    kept = read_record(store.open("recognition", key) / _FILE, _Folds)
    return [replace(item, split=split.name) for item in kept.folds]  # equal splits are one object


def _folds(
    split: SplitTable,
    manifests: Mapping[str, Manifest],
    store: Store,
    progress: Progress | None,
) -> list[Recognition]:
    parts, offsets, size = [], {}, 0
    for name in sorted(split.table["dataset"].unique()):
        pixels = build_pixels(
            manifests[name], SIDE, store, workers=usable_cores(), progress=progress
        )
        offsets[name] = {image: size + row for row, image in enumerate(pixels.image_ids)}
        parts.append(np.asarray(pixels.images))
        size += len(pixels.image_ids)
    images = np.concatenate(parts) if len(parts) > 1 else parts[0]
    labels = [item.table[["image_id", "label"]].assign(dataset=n) for n, item in manifests.items()]
    table = split.table.merge(pd.concat(labels), on=["dataset", "image_id"], how="left")
    table = table[table["label"].notna()]
    rows = [offsets[d][i] for d, i in zip(table["dataset"], table["image_id"], strict=True)]
    table = table.assign(row=rows)
    return [_fold(split.name, fold, images, table) for fold in range(split.folds)]


def _seen(images: npt.NDArray[np.uint8], table: pd.DataFrame) -> npt.NDArray[np.uint8]:
    """Images of a table, read as they are asked for: of a fold they are most of the memory."""
    rows = table["row"].to_numpy()
    lazy = PixelRows(lambda positions: images[rows[positions]], len(rows), SIDE)
    return cast(npt.NDArray[np.uint8], lazy)


def _fold(name: str, fold: int, images: npt.NDArray[np.uint8], table: pd.DataFrame) -> Recognition:
    here = table[table["fold"] == fold]
    train, test = (here[here["split"] == part] for part in ("train", "test"))
    drawn = len(test) > MOST
    if drawn:
        chosen = np.random.default_rng(fold).permutation(len(test))[:MOST]
        test = test.iloc[np.sort(chosen)]
    codes = sorted(set(train["label"]))
    model = registry.models.get(_MODEL).plain
    assert model is not None
    nearest = model()
    index = np.array([codes.index(label) for label in train["label"]], dtype=np.int64)
    state = nearest.fit(_seen(images, train), train, index, len(codes), 0)
    answers = nearest.predict(state, _seen(images, test), test).argmax(axis=1)
    right = np.array([codes[a] for a in answers], dtype=object) == test["label"].to_numpy()
    copies = test["copies"].to_numpy(dtype=np.int64)
    per_class = {}
    for code in sorted(set(test["label"])):
        of = (test["label"] == code).to_numpy(dtype=bool)
        per_class[code] = int(copies[of & right].sum()), int(copies[of].sum())
    return Recognition(
        split=name,
        fold=fold,
        right=int(copies[right].sum()),
        total=int(copies.sum()),
        per_class=per_class,
        drawn=drawn,
    )
