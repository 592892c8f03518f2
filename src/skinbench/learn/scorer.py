"""A scorer: fits that read the same pixels, loaded once, giving probabilities batch by batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.data.pixels import PixelRows
from skinbench.errors import UsageError
from skinbench.learn.arrays import Sources
from skinbench.learn.batches import apply_view
from skinbench.learn.conditions import alters_pixels, entry_of, parse_condition
from skinbench.learn.features import encoding_seconds, feature_digest, open_features
from skinbench.learn.forward import Forward
from skinbench.learn.made import Maker
from skinbench.learn.network import Encoders, Network
from skinbench.learn.runtime import autocast, device_of, set_threads
from skinbench.learn.saved import LoadedFit, load_fit
from skinbench.records import MadePixels, TrainSpec
from skinbench.store import open_store

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One fit of a scorer."""

    fit: LoadedFit
    metadata: torch.Tensor | None
    """[R, M] over all rows of the dataset."""
    keys: tuple[str, ...]
    """One for each view. Members with one key have the same frozen encoder, whose features are
    taken once."""


class Scorer:
    """Fits that read the same pixels of one dataset.

    Made of plain values, so that an actor on another machine can construct it: for Ray Data,
    `map_batches(Scorer, fn_constructor_args=(store, fit_ids), fn_constructor_kwargs={...})`.
    It sets torch's threads for its process. Its frozen encoders read stored features where the
    condition leaves pixels alone and they exist; otherwise they run.

    Args:
        store: its path or URL.
        fit_ids: fits with one image size, device and number of threads.
        dataset: manifest digest.
        condition: `none`, or e.g. `blur@3` or `metadata_missing`.
        weights: weights files by their sha256, for frozen encoders.
        views: of each image, whose probabilities are averaged; empty: the image as it is stored.

    Raises:
        CorruptObjectError: a fit, manifest or pixel store is absent or damaged.
        UsageError: the fits cannot share a scorer; a condition or weights file is not known.
    """

    def __init__(
        self,
        store: str | Path,
        fit_ids: Sequence[str],
        *,
        dataset: str,
        condition: str = "none",
        weights: Mapping[str, str | Path] | None = None,
        views: Sequence[str] = (),
    ) -> None:
        self._store = open_store(store)
        self._sources, self._dataset = Sources(self._store), dataset
        self._condition, self._alters_pixels = parse_condition(condition), alters_pixels(condition)
        table, blank = self._sources.manifest(dataset).table, entry_of(condition).metadata
        self._table = table if blank is None else blank(table)
        self._views = tuple(views) or ("none",)
        files = {digest: Path(path) for digest, path in (weights or {}).items()}
        encoders: Encoders = {}
        fits = [load_fit(fit_id, self._store, files, encoders) for fit_id in fit_ids]
        self._train, self._made = _common_settings(fits)
        self._device = device_of(self._train)
        set_threads(self._train)
        self._members = [self._member(fit) for fit in fits]
        self._features = self._stored_features()
        self._forwards: dict[Network, Forward] = {}
        self._encoding = {key: encoding_seconds(self._store, key) for key in self._features}
        self._seconds: dict[str, float | None] = dict.fromkeys(self.fit_ids, 0.0)
        self._lock = threading.Lock()
        self._maker = None
        if self._made is not None and self._alters_pixels:
            # Nothing is stored of altered images: what is made of them is made here.
            self._maker = Maker(self._made, self._train.image_size, self._store, files)

    def _member(self, fit: LoadedFit) -> _Member:
        metadata = None
        keys = tuple(f"{fit.fit_id}/{view}" for view in self._views)
        if fit.encoder is not None:
            metadata = torch.tensor(fit.encoder.transform(self._table), device=self._device)
        if fit.network is not None:
            network = fit.network.to(self._device).eval()
            if network.frozen and network.encoder is not None:
                keys = tuple(feature_digest(fit.spec, self._dataset, view) for view in self._views)
        return _Member(fit=fit, metadata=metadata, keys=keys)

    def _stored_features(self) -> dict[str, torch.Tensor]:
        if self._alters_pixels:
            return {}
        return {
            key: open_features(self._store, key)
            for member in self._members
            if member.fit.network is not None and member.fit.spec.stored_features
            for key in member.keys
            if self._store.has("features", key)
        }

    @property
    def fit_ids(self) -> tuple[str, ...]:
        """The fits, in the order given."""
        return tuple(member.fit.fit_id for member in self._members)

    @property
    def seconds(self) -> Mapping[str, float | None]:
        """What each fit has computed so far, as if alone, over all threads together.

        Reading pixels is not in it. A shared encoder counts for each of its fits; where its
        stored features are read, what they took when they were made. None where that is unknown.
        """
        return self._seconds

    def rows(self, image_ids: Sequence[str]) -> Ints:
        """Rows of images in the pixel store.

        Raises:
            DataError: an image is not in the dataset.
        """
        return self._sources.rows(self._dataset, np.array(image_ids, dtype=object))

    def __call__(self, batch: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Score one batch as Ray Data hands it over.

        Args:
            batch: `row` [B] int64, rows in the pixel store.

        Returns:
            `row` as it came, and for each fit id its probabilities [B, C] float32.
        """
        rows = np.asarray(batch["row"], dtype=np.int64)
        return {"row": rows, **self.probabilities(rows)}

    def probabilities(self, rows: Ints) -> dict[str, Probabilities]:
        """Probabilities [B, C] float32 of each fit for rows of the pixel store.

        Safe to call from several threads at once.
        """
        batch = _Batch(self._read, rows, self._train.image_size)
        found: list[dict[str, Probabilities]] = []
        for index, view in enumerate(self._views):
            encoded: dict[str, _Encoded] = {}
            seen = batch.seen_as(view)
            with torch.inference_mode():
                found.append(
                    {
                        member.fit.fit_id: self._timed(member, rows, seen, encoded, index)
                        for member in self._members
                    }
                )
        if len(found) == 1:
            return found[0]
        return {
            fit: _mean([np.asarray(part[fit], dtype=np.float64) for part in found])
            for fit in found[0]
        }

    def _read(self, rows: Ints) -> Bytes:
        if self._maker is None or self._made is None:
            return self._altered(rows, self._train.image_size, self._made)
        source = self._altered(rows, self._made.source_size, None)
        small = self._altered(rows, self._made.fit_size, None)
        return self._maker.make(source, small, self._device)[0]

    def _altered(self, rows: Ints, size: int, made: MadePixels | None) -> Bytes:
        with self._lock:  # the memory map is opened once
            store = self._sources.seen(self._dataset, size, made)
        pixels = np.take(store.images, rows, axis=0)
        if self._condition is None:
            return pixels
        name, strength = self._condition
        entry = registry.conditions.get(name)
        if entry.apply is None:
            return pixels
        if entry.by_image:
            return entry.apply(pixels, strength, self._table["image_id"].iloc[rows].tolist())
        return entry.apply(pixels, strength)

    def _timed(
        self,
        member: _Member,
        rows: Ints,
        batch: _Batch,
        encoded: dict[str, _Encoded],
        view: int,
    ) -> Probabilities:
        """A fit's probabilities; what they took is added to its seconds."""
        fit = member.fit
        features: torch.Tensor | None = None
        took: float | None = 0.0
        if fit.network is not None and fit.network.encoder is not None:
            key = member.keys[view]
            if key not in encoded:
                with autocast(fit.spec.train):
                    encoded[key] = self._encode(key, fit.network, rows, batch)
            features, took = encoded[key].features, encoded[key].seconds
        elif fit.plain is not None:
            batch.all()
        started = time.perf_counter()
        found = self._score(member, rows, batch, features)
        own = time.perf_counter() - started
        with self._lock:
            before = self._seconds[fit.fit_id]
            if before is None or took is None:
                self._seconds[fit.fit_id] = None
            else:
                self._seconds[fit.fit_id] = before + took + own
        return found

    def _score(
        self, member: _Member, rows: Ints, batch: _Batch, features: torch.Tensor | None
    ) -> Probabilities:
        fit = member.fit
        if fit.plain is not None and fit.state is not None:
            table = self._table.iloc[rows]
            lazy = PixelRows(batch.some, len(rows), self._train.image_size)
            return fit.plain.predict(fit.state, cast(Bytes, lazy), table)
        network = cast(Network, fit.network)
        with autocast(fit.spec.train):
            metadata = None
            if member.metadata is not None:
                where = torch.from_numpy(rows).to(self._device)
                metadata = member.metadata.index_select(0, where)
            logits = network.head(features, metadata)
        probabilities: Probabilities = torch.softmax(logits.double(), dim=1).float().cpu().numpy()
        return probabilities

    def _encode(self, key: str, network: Network, rows: Ints, batch: _Batch) -> _Encoded:
        stored = self._features.get(key)
        if stored is not None:
            features = stored.index_select(0, torch.from_numpy(rows)).to(self._device)
            each = self._encoding[key]
            return _Encoded(features, None if each is None else each * len(rows))
        with self._lock:  # one folded copy for all threads
            if network not in self._forwards:
                self._forwards[network] = Forward(network, self._train, self._device)
        pixels = batch.all()
        started = time.perf_counter()
        features = self._forwards[network](pixels)
        if self._device.type == "cuda":  # it computes on while Python goes on
            torch.cuda.synchronize(self._device)
        return _Encoded(features, time.perf_counter() - started)


class _Encoded(NamedTuple):
    """What an encoder gave for a batch."""

    features: torch.Tensor
    seconds: float | None
    """What it took; None where stored features do not say."""


class _Batch:
    """Pixels of one batch, read at most once, and only if a fit asks."""

    def __init__(self, read: Callable[[Ints], Bytes], rows: Ints, image_size: int) -> None:
        self._read, self._rows, self._size = read, rows, image_size
        self._pixels: Bytes | None = None

    def all(self) -> Bytes:
        if self._pixels is None:
            self._pixels = self._read(self._rows)
        return self._pixels

    def some(self, positions: Ints) -> Bytes:
        return self.all()[positions]

    def seen_as(self, view: str) -> _Batch:
        """The same images in another view, read no more than once for all views."""
        if view == "none":
            return self
        return _Batch(lambda _: apply_view(self.all(), view), self._rows, self._size)


def _mean(parts: Sequence[npt.NDArray[np.float64]]) -> Probabilities:
    mean: Probabilities = (sum(parts[1:], start=parts[0]) / len(parts)).astype(np.float32)
    return mean


def _common_settings(fits: Sequence[LoadedFit]) -> tuple[TrainSpec, MadePixels | None]:
    if not fits:
        raise UsageError("a scorer needs one fit or more")
    train, made = fits[0].spec.train, fits[0].spec.pixels
    for fit in fits[1:]:
        other = fit.spec.train
        if (other.image_size, other.device, other.threads, fit.spec.pixels) != (
            train.image_size,
            train.device,
            train.threads,
            made,
        ):
            raise UsageError(
                f"fits {fits[0].fit_id} and {fit.fit_id} differ in image_size, pixels, device or "
                f"threads, so one scorer cannot hold both; give each its own"
            )
    return train, made
