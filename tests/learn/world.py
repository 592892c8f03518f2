"""A small published world: 66 drawn images of 3 classes, a split, pixels, and specs for them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from skinbench.data.manifest import manifest_digest, publish_manifest
from skinbench.data.pixels import build_pixels
from skinbench.data.split_tables import split_of
from skinbench.data.splits import publish_split
from skinbench.data.tables import shaped
from skinbench.records import (
    MANIFEST_SCHEMA,
    SPLIT_SCHEMA,
    DatasetInfo,
    FitRecord,
    FitSpec,
    LabelSpace,
    Manifest,
    ModelSpec,
    NamedSpec,
    SplitTable,
    TrainSpec,
    WeightsSpec,
)
from skinbench.store import Store, content_digest

CLASSES = ("bkl", "mel", "nv")
COUNTS = {"bkl": 12, "mel": 18, "nv": 36}
SIZE = 32
INFO = DatasetInfo(title="drawn", licence="CC0", citation="-", homepage="-", synthetic=True)


@dataclass(frozen=True, kw_only=True)
class World:
    store: Store
    manifest: Manifest
    split: SplitTable

    def ids(self, split: str) -> tuple[str, ...]:
        table = self.split.table
        return tuple(table.loc[table["split"] == split, "image_id"])

    def spec(self, **changes: object) -> FitSpec:
        """A baseline CNN at 32 px for 2 epochs; keywords replace fields of spec or train."""
        train = {
            "image_size": SIZE,
            "epochs": 2,
            "batch_size": 8,
            "optimizer": NamedSpec(name="adam", options={"lr": 1e-3}),
            "early_stopping": None,
            "reduce_on_plateau": None,
            "augment": (),
            "seed": 0,
            "threads": 1,
            "device": "cpu",
            "precision": "float32",
            "schedule": None,
            "allow_split_batch_norm": False,
        }
        spec = {
            "datasets": {"drawn": self.manifest.digest},
            "split": self.split.digest,
            "fold": 0,
            "classes": CLASSES,
            "model": network("baseline_cnn"),
            "input": NamedSpec(name="image"),
            "technique": NamedSpec(name="none"),
            "versions": {},
        }
        for key, value in changes.items():
            (train if key in train else spec)[key] = value
        reads = spec["input"].name != "metadata" and not train["augment"]
        stored = spec["model"].frozen and reads
        return FitSpec(**spec, train=TrainSpec(**train), stored_features=stored)


def network(name: str, *, frozen: bool = False, weights: WeightsSpec | None = None) -> ModelSpec:
    return ModelSpec(name=name, weights=weights or WeightsSpec(kind="random"), frozen=frozen)


def fit_id(spec: FitSpec) -> str:
    return content_digest(spec)


def untimed(record: FitRecord) -> FitRecord:
    """A record without what a clock or a kill changes."""
    history = tuple(dataclasses.replace(epoch, seconds=0.0) for epoch in record.history)
    return dataclasses.replace(record, seconds=0.0, attempts=1, history=history)


def model_bytes(store: Store, name: str) -> bytes:
    return (store.open("fits", name) / "model.safetensors").read_bytes()


def make_world(
    root: Path, *, val_share: float = 0.2, seed: int = 0, store: Store | None = None
) -> World:
    """Draw, publish and split; images differ by class in colour, and ages by class too."""
    generator = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    store = store or Store(root / "store")
    rows = []
    for code, (label, count) in enumerate(COUNTS.items()):
        for number in range(count):
            image_id = f"{label}_{number:03d}"
            path = root / f"{image_id}.png"
            pixels = generator.integers(60, 200, (24, 32, 3))
            pixels[6:18, 8:24, code] += 50
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            rows.append(
                {
                    "image_id": image_id,
                    "path": path.name,
                    "label": label,
                    "group_id": f"{label}_{number // 2:03d}",
                    "age": 30.0 + 15 * code + float(generator.integers(0, 10)),
                    "sex": ("female", "male", None)[int(generator.integers(0, 3))],
                    "site": ("back", "face")[int(generator.integers(0, 2))],
                    "file_digest": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "pixel_digest": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "width": 32,
                    "height": 24,
                }
            )
    frame = pd.DataFrame(rows)
    for name in MANIFEST_SCHEMA.names:
        if name not in frame:
            frame[name] = None
    table = shaped(frame.sort_values("image_id")[MANIFEST_SCHEMA.names], MANIFEST_SCHEMA)
    space = LabelSpace(name="custom", classes=CLASSES)
    manifest = Manifest(
        name="drawn",
        adapter="csv",
        root=root,
        info=INFO,
        label_space=space,
        table=table,
        findings=(),
        digest=manifest_digest(space, table),
    )
    publish_manifest(manifest, store)
    split = _split(table, val_share)
    publish_split(split, store)
    build_pixels(manifest, SIZE, store, workers=1)
    return World(store=store, manifest=manifest, split=split)


def _split(table: pd.DataFrame, val_share: float) -> SplitTable:
    names = []
    for _, members in table.groupby("label", sort=True):
        order = np.arange(len(members))
        names.append(
            pd.Series(
                np.where(
                    order % 6 == 0,
                    "test",
                    np.where((order % 6 == 1) & (val_share > 0), "val", "train"),
                ),
                index=members.index,
            )
        )
    frame = pd.DataFrame(
        {
            "image_id": table["image_id"],
            "dataset": "drawn",
            "fold": 0,
            "split": pd.concat(names).reindex(table.index),
            "copies": 1,
        }
    )
    return split_of("s", shaped(frame, SPLIT_SCHEMA), group="image", folds=1, notes=())


def no_epochs(_fit: str, _epoch: object) -> None:
    """For calls that do not look at epochs."""


NO_WEIGHTS: Mapping[str, Path] = {}
