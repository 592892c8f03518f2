"""Pixels made with another fit's maps: a store of them, or a batch at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.data.made_pixels import publish_made, seen_digest
from skinbench.errors import UsageError
from skinbench.learn.arrays import Sources
from skinbench.learn.batches import to_unit
from skinbench.learn.explain import decided_heat, heat_target, on_image
from skinbench.learn.network import Network
from skinbench.learn.runtime import autocast, torch_session
from skinbench.learn.saved import LoadedFit, Weights, load_fit
from skinbench.records import FitSpec, MadePixels
from skinbench.store import Store

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Progress = Callable[[str, int, int], None]
BATCH = 32
"""Images in one pass of the other fit; part of the numbers."""


class Maker:
    """Another fit, loaded once, and what is made of its maps.

    Neither labels nor metadata are read: what it makes of an image is the same in every split.

    Args:
        made: what is made, and by which fit.
        image_size: pixels of a side of what is made.
        store: holds the other fit.
        weights: weights files by their sha256.

    Raises:
        CorruptObjectError: the other fit is absent or damaged.
        UsageError: it has no network that gives such maps.
    """

    def __init__(self, made: MadePixels, image_size: int, store: Store, weights: Weights) -> None:
        self.entry = registry.pixels.get(made.name)
        self.fit = load_fit(made.fit, store, weights)
        self._options = {**self.entry.options, **made.options}
        self._made, self._size = made, image_size
        self._lock = threading.Lock()  # explainers hang their hooks on the one network

    def make(self, source: Bytes, small: Bytes, device: torch.device) -> tuple[Bytes, Flags]:
        """What is made of a batch of images.

        Args:
            source: [B, H, H, 3], H the source size.
            small: the same images [B, h, h, 3] at the size that the other fit reads.
            device: where to compute.

        Returns:
            Pixels [B, S, S, 3] uint8, and which images stand as they are [B].
        """
        with self._lock, torch.inference_mode(False):
            maps = self._maps(small, device)
        return self.entry.make(source, maps, self._size, self._options)

    def _maps(self, small: Bytes, device: torch.device) -> npt.NDArray[np.float32]:
        network = _network_of(self.fit).to(device)
        batch = network.normalise(to_unit(small, device))
        if self.entry.map == "heatmap":
            method = str(self._options["method"])
            heat = decided_heat(network, heat_target(self.fit), batch, None, method)
            return on_image(network, heat, self._made.fit_size)
        with torch.no_grad(), autocast(self.fit.spec.train):
            logits = network(batch)
        likely = torch.sigmoid(logits.double()).float().cpu().numpy()
        return cast("npt.NDArray[np.float32]", likely[:, 0])


def _network_of(fit: LoadedFit) -> Network:
    if fit.network is None or fit.network.encoder is None:
        raise UsageError(f"fit {fit.fit_id}: has no network that reads the image, so no maps")
    return fit.network.eval()


def build_seen(
    spec: FitSpec,
    dataset: str,
    store: Store,
    *,
    weights: Weights,
    progress: Progress | None = None,
) -> str:
    """Make the pixels that a fit sees of every image of a dataset, unless they exist.

    Args:
        spec: the fit; one that sees the images themselves has nothing made here.
        dataset: manifest digest.
        store: holds the other fit and the images at both sizes; gets `pixels/<digest>`.
        weights: weights files by their sha256, for frozen encoders.
        progress: called with ("making pixels", images done, images).

    Returns:
        The digest of the pixels that the fit sees.

    Raises:
        CorruptObjectError: the other fit or the images are absent or damaged.
        UsageError: the other fit gives no such maps, or an option is impossible.
        StoreError: the disk is full or read-only.
    """
    made, size = spec.pixels, spec.train.image_size
    digest = seen_digest(made, dataset, size)
    if made is None or store.has("pixels", digest):
        return digest
    sources = Sources(store)
    source = sources.pixels(dataset, made.source_size).images
    small = sources.pixels(dataset, made.fit_size).images
    maker = Maker(made, size, store, weights)

    def fill(images: Bytes) -> Flags:
        flags = np.zeros(len(images), dtype=np.bool_)
        with torch_session(maker.fit.spec.train) as device:
            for start in range(0, len(images), BATCH):
                part = slice(start, start + BATCH)
                images[part], flags[part] = maker.make(
                    np.array(source[part]), np.array(small[part]), device
                )
                if progress is not None:
                    progress("making pixels", min(start + BATCH, len(images)), len(images))
        return flags

    publish_made(store, digest, sources.manifest(dataset).table, size, fill)
    return digest
