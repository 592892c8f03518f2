"""What an export reads of a run and its store: images by dataset, split and size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.bundle.model import Answers, BundleModel
from skinbench.data.images import usable_cores
from skinbench.data.manifest import import_manifest
from skinbench.data.pixels import PixelStore, build_pixels
from skinbench.data.split_tables import import_split
from skinbench.errors import DataError
from skinbench.records import Manifest, Plan, Scorecard, SplitTable
from skinbench.store import RunFolder, Store, read_record
from skinbench.suite import stated_suite
from skinbench.suite.schema import SuiteFile

BATCH = 32
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class SourceRun:
    """What is read of a run folder."""

    folder: RunFolder
    plan: Plan
    card: Scorecard
    suite: SuiteFile
    manifests: Mapping[str, Manifest]
    splits: Mapping[str, SplitTable]


def read_run(folder: RunFolder) -> SourceRun:
    """Read what the run folder says of itself."""
    return SourceRun(
        folder=folder,
        plan=read_record(folder.plan, Plan),
        card=read_record(folder.scorecard, Scorecard),
        suite=stated_suite(folder.suite),
        manifests={p.stem: import_manifest(p) for p in sorted(folder.manifests.glob("*.parquet"))},
        splits={p.stem: import_split(p) for p in sorted(folder.splits.glob("*.parquet"))},
    )


@dataclass(kw_only=True)
class Stored:
    """Manifests of a run, and pixels of them at any size."""

    store: Store
    manifests: Mapping[str, Manifest]
    """By key under `data:`."""
    _opened: dict[tuple[str, int], PixelStore] = field(default_factory=dict)
    _index: dict[str, pd.Index[Any]] = field(default_factory=dict)

    def rows(self, dataset: str, ids: list[str]) -> npt.NDArray[np.int64]:
        """Rows of images in a manifest's table.

        Raises:
            DataError: an image is not there.
        """
        if dataset not in self._index:
            table = self.manifests[dataset].table
            self._index[dataset] = pd.Index(table["image_id"].to_numpy(dtype=object))
        found = self._index[dataset].get_indexer(pd.Index(ids, dtype=object))
        if (found < 0).any():
            raise DataError(f"image {ids[int(np.argmin(found))]} is not in data '{dataset}'")
        return found.astype(np.int64)

    def pixels(self, dataset: str, size: int) -> PixelStore:
        """A dataset's images at a size, decoded again where the store has them no more."""
        if (dataset, size) not in self._opened:
            manifest = self.manifests[dataset]
            self._opened[dataset, size] = build_pixels(
                manifest, size, self.store, workers=usable_cores()
            )
        return self._opened[dataset, size]

    def batches(
        self, dataset: str, ids: list[str], sizes: tuple[int, ...], batch: int = BATCH
    ) -> Iterator[tuple[dict[int, npt.NDArray[np.uint8]], pd.DataFrame]]:
        """Pixels at each size and manifest rows of some images, batch by batch."""
        table, places = self.manifests[dataset].table, self.rows(dataset, ids)
        for start in range(0, len(places), batch):
            rows = places[start : start + batch]
            pixels = {size: self.pixels(dataset, size).images[rows] for size in sizes}
            yield pixels, table.iloc[rows]

    def answer(
        self,
        model: BundleModel,
        dataset: str,
        ids: list[str],
        progress: Callable[[int], None],
        *,
        with_features: bool = False,
    ) -> Answers:
        """What a bundle says of images of a dataset, by their stored pixels."""
        found: list[Answers] = []
        for pixels, table in self.batches(dataset, ids, model.sizes):
            found.append(model.answer(pixels, table, with_features=with_features))
            progress(len(table))
        return Answers(
            probabilities=np.concatenate([item.probabilities for item in found]),
            parts=_joined([item.parts for item in found]),
            features=_joined([item.features for item in found]),
        )


def _joined(
    parts: list[Mapping[str, npt.NDArray[np.float32]]],
) -> dict[str, npt.NDArray[np.float32]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
