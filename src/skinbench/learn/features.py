"""The feature store: outputs of a frozen encoder over a pixel store, computed once."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.data.made_pixels import seen_digest
from skinbench.errors import UsageError
from skinbench.learn.arrays import Sources
from skinbench.learn.batches import view_names
from skinbench.learn.forward import Forward
from skinbench.learn.network import Network
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import Weights, make_network
from skinbench.records import STAGE_VERSIONS, FitSpec
from skinbench.store import Store, content_digest, read_json, write_json
from skinbench.store.arrays import open_array

Progress = Callable[[str, int, int], None]
FILE = "features.npy"
TIME_FILE = "time.json"
"""Images, and the seconds of their forward passes over all threads together."""
BATCH = 64
"""Images of one forward pass; part of the numbers, so a change raises the stage's version."""


def feature_digest(spec: FitSpec, dataset: str, view: str = "none") -> str:
    """Name of a frozen encoder's features over one dataset.

    Args:
        spec: a fit with a frozen encoder.
        dataset: manifest digest, or its key under `data:`.
        view: which view of each image, see the augment `dihedral`.
    """
    model, train = spec.model, spec.train
    shown: dict[str, object] = {}  # absent where the image is seen as it is stored
    if view != "none":
        shown["view"] = [view, registry.augments.get("dihedral").version]
    geometry = [item for item in train.augment if registry.augments.get(item.name).everywhere]
    if geometry:
        shown["geometry"] = [[item, _version("augments", item.name)] for item in geometry]
    entry = registry.models.get(model.name)
    return content_digest(
        {
            **shown,
            "versions": {
                "model": _version("models", model.name),
                **{stage: STAGE_VERSIONS[stage] for stage in ("features", "pixels")},
                **{package: _minor(package) for package in ("torch", "timm")},
            },
            "model": model.name,
            "options": {**entry.options, **model.options},
            "weights": model.weights,  # kind, digest and normalisation
            "seed": train.seed if model.weights.kind == "random" else None,
            "pixels": seen_digest(
                spec.pixels, spec.datasets.get(dataset, dataset), train.image_size
            ),
            "precision": train.precision,
            "device": train.device,
            "threads": train.threads,
        }
    )


def _version(kind: str, name: str) -> str | int:
    entry: Any = registry.KINDS[kind].get(name)
    return registry.KINDS[kind].source_digest(name) or int(entry.version)


def _minor(package: str) -> str:
    try:
        return ".".join(importlib.metadata.version(package).split("+")[0].split(".")[:2])
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def build_features(
    spec: FitSpec,
    dataset: str,
    store: Store,
    *,
    weights_path: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    weights: Weights | None = None,
    view: str = "none",
) -> str:
    """Compute and publish features of every image of a dataset, unless they exist.

    The bits do not depend on `workers`: batches are the same, each with the spec's threads.

    Args:
        spec: a fit with a frozen encoder.
        dataset: manifest digest, or its key under `data:`.
        store: holds the pixel store; `features/<digest>/features.npy` [N, F] float32 is made,
            its rows those of the pixel store.
        weights_path: the file of `weights: {file}`, for a spec that has one.
        workers: Python threads, each with `spec.train.threads` threads of torch.
        progress: called with ("features", images done, images).
        weights: files by digest, where the weights come from another fit with a frozen encoder.
        view: which view of each image.

    Returns:
        The features' digest.

    Raises:
        UsageError: the fit has no frozen encoder that reads the image.
        CorruptObjectError: the pixel store is absent or damaged.
    """
    digest = feature_digest(spec, dataset, view)
    if store.has("features", digest):
        return digest
    files = dict(weights or {})
    if weights_path is not None:
        files[spec.model.weights.digest] = weights_path
    with torch_session(spec.train) as device:
        network = make_network(spec, _metadata_width(spec), store, files).eval().to(device)
        if network.encoder is None or not spec.model.frozen:
            raise UsageError(f"model {spec.model.name}: features need `frozen: true` and an image")
        manifest = spec.datasets.get(dataset, dataset)
        images = Sources(store).seen(manifest, spec.train.image_size, spec.pixels).images

        run = FeatureRun(spec, network, device, view)
        features = run.encode_all(images, workers, progress)

    def write(folder: Path) -> None:
        np.save(folder / FILE, features)
        write_json(folder / TIME_FILE, {"images": len(features), "seconds": run.seconds})

    store.publish("features", digest, write)
    return digest


def encoding_seconds(store: Store, digest: str) -> float | None:
    """Seconds of one thread for one image when these features were made; None if not kept."""
    path = store.open("features", digest) / TIME_FILE
    if not path.exists():  # of an older version
        return None
    kept = read_json(path)
    return float(kept["seconds"]) / max(1, int(kept["images"]))


def feature_views(spec: FitSpec) -> tuple[str, ...]:
    """The views that a fit on stored features reads: as stored, and those that it trains on."""
    return tuple(dict.fromkeys(("none", *view_names(spec.train.augment))))


def _metadata_width(spec: FitSpec) -> int:
    """A head is built along with the encoder and thrown away; any width does."""
    return 1 if registry.inputs.get(spec.input.name).uses_metadata else 0


class FeatureRun:
    """One pass of an encoder over pixels.

    Args:
        spec: the fit whose precision is used.
        network: on `device`, in eval mode.
        device: where to compute.
        view: which view of each image.
    """

    def __init__(
        self, spec: FitSpec, network: Network, device: torch.device, view: str = "none"
    ) -> None:
        self._forward, self._view = Forward(network, spec.train, device), view
        self._spent: list[float] = []

    @property
    def seconds(self) -> float:
        """Of all passes so far, over all threads together."""
        return sum(self._spent)

    def encode(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pixels [B, S, S, 3] uint8 -> features [B, F]."""
        started = time.perf_counter()
        encoded: npt.NDArray[np.float32] = self._forward(pixels, self._view).cpu().numpy()
        self._spent.append(time.perf_counter() - started)  # safe from several threads
        return encoded

    def encode_all(
        self, images: npt.NDArray[np.uint8], workers: int, progress: Progress | None
    ) -> npt.NDArray[np.float32]:
        """Features [N, F] of all images, batch by batch."""
        count = len(images)
        first = self.encode(np.array(images[:BATCH]))
        features = np.empty((count, first.shape[1]), dtype=np.float32)
        features[:BATCH] = first
        done = len(first)

        def work(start: int) -> int:
            stop = min(start + BATCH, count)
            features[start:stop] = self.encode(np.array(images[start:stop]))
            return stop - start

        with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
            for amount in pool.map(work, range(BATCH, count, BATCH)):
                done += amount
                if progress is not None:
                    progress("features", done, count)
        return features


def open_features(store: Store, digest: str) -> torch.Tensor:
    """Features [N, F] float32 as a tensor over the memory-mapped file.

    Raises:
        CorruptObjectError: they are absent or damaged.
    """
    path = store.open("features", digest) / FILE
    # Copy-on-write: torch wants writable memory, and processes still share the pages.
    return torch.from_numpy(open_array(path, "c"))
