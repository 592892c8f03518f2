"""What a fit reads, opened once: split parts, labels, encoded metadata and pixels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.made_pixels import seen_digest
from skinbench.data.manifest import load_manifest
from skinbench.data.metadata import MetadataEncoder, check_fields
from skinbench.data.pixels import PixelStore, open_pixels
from skinbench.data.splits import load_split
from skinbench.errors import CorruptObjectError, DataError
from skinbench.learn.runtime import COPIES, derive_seed
from skinbench.records import FitSpec, InputEntry, MadePixels, Manifest, NamedSpec, SplitTable
from skinbench.store import Store

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Sources:
    """Objects of the store, each opened once and shared by all fits of a process.

    Args:
        store: where manifests, splits and pixels are.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.manifest: Callable[[str], Manifest] = functools.cache(
            functools.partial(load_manifest, store)
        )
        self.split: Callable[[str], SplitTable] = functools.cache(
            functools.partial(load_split, store)
        )
        self._opened: dict[str, PixelStore] = {}
        self._index: Callable[[str], pd.Index[Any]] = functools.cache(self._make_index)

    def rows(self, dataset: str, image_ids: Sequence[str] | npt.NDArray[np.object_]) -> Ints:
        """Rows of images in the manifest's table, which are their rows in the pixel store.

        Args:
            dataset: manifest digest.
            image_ids: ids that the manifest has.

        Raises:
            DataError: an id is not in the manifest.
        """
        rows = self._index(dataset).get_indexer(pd.Index(image_ids, dtype=object))
        absent = np.flatnonzero(rows < 0)
        if absent.size:
            raise DataError(
                f"image {image_ids[int(absent[0])]} is not in dataset "
                f"'{self.manifest(dataset).name}' ({absent.size} of {len(rows)} are not); "
                f"the split was made from another version of it"
            )
        return rows.astype(np.int64)

    def _make_index(self, dataset: str) -> pd.Index[Any]:
        index: pd.Index[Any] = pd.Index(
            self.manifest(dataset).table["image_id"].to_numpy(dtype=object)
        )
        return index

    def pixels(self, dataset: str, image_size: int) -> PixelStore:
        """The images themselves."""
        return self.seen(dataset, image_size, None)

    def seen(self, dataset: str, image_size: int, made: MadePixels | None) -> PixelStore:
        """What a fit sees of a dataset's images.

        Args:
            dataset: manifest digest.
            image_size: the fit's, in pixels.
            made: the fit's `pixels`.

        Raises:
            CorruptObjectError: the pixels are absent or damaged, or those of other images.
        """
        digest = seen_digest(made, dataset, image_size)
        if digest not in self._opened:
            self._opened[digest] = self._open_pixels(dataset, digest)
        return self._opened[digest]

    def _open_pixels(self, dataset: str, digest: str) -> PixelStore:
        pixels = open_pixels(self.store, digest)
        ids = self.manifest(dataset).table["image_id"]
        if len(pixels.image_ids) != len(ids) or any(
            left != right for left, right in zip(pixels.image_ids, ids, strict=True)
        ):
            raise CorruptObjectError(
                f"pixels/{pixels.digest} holds other images than manifest {dataset}; "
                f"run `skinbench cache verify`, then the suite again"
            )
        return pixels


@dataclass(frozen=True, kw_only=True)
class Part:
    """The train or val images of a fit, sorted by dataset and image id."""

    table: pd.DataFrame
    """Manifest rows [N], each repeated as often as the split's `copies` says."""
    dataset: Ints
    """[N] position of each image's dataset in FitArrays.datasets."""
    rows: Ints
    """[N] row within that dataset's manifest and pixel store."""
    labels: Ints
    """[N] index into the fit's classes."""
    metadata: npt.NDArray[np.float32] | None
    """[N, M], None where the input reads none."""

    def __len__(self) -> int:
        """Images of the part."""
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class FitArrays:
    """Everything a fit learns from."""

    sources: Sources
    datasets: tuple[str, ...]
    """Manifest digests, in the order of their keys under `data:`."""
    image_size: int
    train: Part
    val: Part
    copies: Ints
    """[N of train] how often the technique draws each image in an epoch."""
    class_counts: Ints
    """[C] train images by class, before `copies`."""
    encoder: MetadataEncoder | None
    """Metadata vocabulary and scaling, fitted on train."""
    made: MadePixels | None = None
    """None where the images themselves are seen."""

    def gather(self, part: Part, positions: Ints) -> Bytes:
        """Pixels [B, S, S, 3] of some positions of a part, as one new array."""
        datasets, rows = part.dataset[positions], part.rows[positions]
        if len(self.datasets) == 1:
            return self._take(0, rows)
        pixels = np.empty((len(rows), self.image_size, self.image_size, 3), dtype=np.uint8)
        for index in np.unique(datasets):
            here = datasets == index
            pixels[here] = self._take(int(index), rows[here])
        return pixels

    def _take(self, index: int, rows: Ints) -> Bytes:
        images = self.sources.seen(self.datasets[index], self.image_size, self.made).images
        return np.take(images, rows, axis=0)


def load_arrays(spec: FitSpec, sources: Sources | Store) -> FitArrays:
    """Open what a fit reads; pixels stay on disk until they are gathered.

    Args:
        spec: the fit.
        sources: objects shared with other fits, or a store to open them from.

    Raises:
        DataError: train is empty, or an image has no label of the fit's classes.
        UsageError: a metadata field may not be an input.
        CorruptObjectError: a manifest, split or pixel store is absent or damaged.
    """
    if isinstance(sources, Store):
        sources = Sources(sources)
    entry = registry.inputs.get(spec.input.name)
    fields = metadata_fields(entry, spec.input)
    train, val = _part(spec, sources, "train"), _part(spec, sources, "val")
    if not len(train.labels):
        raise DataError(f"fold {spec.fold} of split {spec.split} has no train images")
    encoder = None
    if fields:
        check_fields(fields, None)
        encoder = MetadataEncoder.fit(train.table, fields)
        train, val = _with_metadata(train, encoder), _with_metadata(val, encoder)
    n_classes = len(spec.classes)
    return FitArrays(
        sources=sources,
        datasets=tuple(spec.datasets[key] for key in sorted(spec.datasets)),
        image_size=spec.train.image_size,
        train=train,
        val=val,
        copies=_copies(spec, train.labels),
        class_counts=np.bincount(train.labels, minlength=n_classes).astype(np.int64),
        encoder=encoder,
        made=spec.pixels,
    )


def metadata_fields(entry: InputEntry, chosen: NamedSpec) -> tuple[str, ...]:
    """Columns of the manifest that an input reads; empty where it reads none."""
    if not entry.uses_metadata:
        return ()
    options: Mapping[str, object] = {**entry.options, **chosen.options}
    return tuple(cast("Sequence[str]", options.get("fields", ())))


def _part(spec: FitSpec, sources: Sources, name: str) -> Part:
    table = sources.split(spec.split).table
    chosen = table[(table["fold"] == spec.fold) & (table["split"] == name)]
    tables, datasets, rows = [], [], []
    for index, key in enumerate(sorted(spec.datasets)):
        digest = spec.datasets[key]
        members = chosen[chosen["dataset"] == key].sort_values("image_id")
        found = sources.rows(digest, members["image_id"].to_numpy(dtype=object))
        # Val too: where copies were made before splitting, they weigh there as they do in test.
        found = np.repeat(found, members["copies"].to_numpy(dtype=np.int64))
        tables.append(sources.manifest(digest).table.iloc[found])
        datasets.append(np.full(len(found), index, dtype=np.int64))
        rows.append(found)
    joined = tables[0] if len(tables) == 1 else pd.concat(tables)
    joined = joined.reset_index(drop=True)
    return Part(
        table=joined,
        dataset=np.concatenate(datasets),
        rows=np.concatenate(rows),
        labels=_labels(joined, spec.classes),
        metadata=None,
    )


def _labels(table: pd.DataFrame, classes: tuple[str, ...]) -> Ints:
    labels = pd.Index(classes).get_indexer(pd.Index(table["label"]))
    wrong = np.flatnonzero(labels < 0)
    if wrong.size:
        row = table.iloc[int(wrong[0])]
        raise DataError(
            f"image {row['image_id']} is in train or val with label {row['label']!r}; "
            f"expected one of {', '.join(classes)} ({wrong.size} images concerned)"
        )
    return labels.astype(np.int64)


def _with_metadata(part: Part, encoder: MetadataEncoder) -> Part:
    metadata = np.ascontiguousarray(encoder.transform(part.table), dtype=np.float32)
    return Part(
        table=part.table,
        dataset=part.dataset,
        rows=part.rows,
        labels=part.labels,
        metadata=metadata,
    )


def _copies(spec: FitSpec, labels: Ints) -> Ints:
    for item in spec.techniques:
        entry = registry.techniques.get(item.name)
        if entry.copies is not None:
            options = {**entry.options, **item.options}
            seed = derive_seed(spec.train.seed, COPIES)
            return entry.copies(labels, len(spec.classes), options, seed)
    return np.ones(len(labels), dtype=np.int64)
