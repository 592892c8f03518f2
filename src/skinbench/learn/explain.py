"""Heatmaps of a fit for chosen images, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from skinbench import registry
from skinbench.data.pictures import save_picture
from skinbench.errors import UsageError
from skinbench.learn.arrays import Sources
from skinbench.learn.batches import to_unit
from skinbench.learn.network import Network
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import LoadedFit, Weights, load_fit
from skinbench.store import Store

Heat = npt.NDArray[np.float32]
Target = tuple[nn.Module, Callable[..., Any] | None]
COLOURS = "inferno"
"""Colour map: even steps of lightness, told apart in all common kinds of colour blindness."""
STRENGTH = 0.55
"""Share of the colour in an overlay."""
PICTURE = 144
"""Longest side of a kept heatmap, pixels."""


def explain_cases(
    fit_id: str,
    image_ids: Sequence[str],
    dataset: str,
    store: Store,
    *,
    weights: Weights,
    method: str = "gradcam",
    classes: Sequence[str] | None = None,
    batch_size: int = 16,
) -> Heat:
    """Heat of one class for each of some images of one dataset.

    The network is rebuilt whole, also for a fit that was trained on stored features.

    Args:
        fit_id: a fit whose network reads the image.
        image_ids: images of the dataset, in any order.
        dataset: manifest digest.
        store: holds the fit, the manifest and the pixel store.
        weights: weights files by their sha256, for frozen encoders.
        method: name in the registry `explainers`.
        classes: code of the class for each image; None: the one that the network decides.
        batch_size: images in one pass.

    Returns:
        [N, S, S] float32 in [0, 1], S the fit's image size; all zeros where the map is flat.

    Raises:
        UsageError: the fit has no network that reads the image, or its model shows no layer.
        UnknownNameError: no such method.
        DataError: an image is not in the dataset.
        MissingExtraError: the method's library is not installed.
    """
    registry.explainers.get(method)
    fit = load_fit(fit_id, store, weights)
    sources = Sources(store)
    rows = sources.rows(dataset, np.array(image_ids, dtype=object))
    size = fit.spec.train.image_size
    if not len(rows):
        return np.empty((0, size, size), dtype=np.float32)
    images = sources.seen(dataset, size, fit.spec.pixels).images
    table = sources.manifest(dataset).table
    with torch_session(fit.spec.train) as device:
        network = explainable(fit).to(device)
        target = heat_target(fit)
        heat = []
        for start in range(0, len(rows), batch_size):
            here = rows[start : start + batch_size]
            metadata = None
            if fit.encoder is not None:
                metadata = torch.tensor(fit.encoder.transform(table.iloc[here]), device=device)
            batch = network.normalise(to_unit(np.take(images, here, axis=0), device))
            if classes is None:
                found = decided_heat(network, target, batch, metadata, method)
            else:
                codes = classes[start : start + batch_size]
                chosen = torch.tensor([fit.spec.classes.index(code) for code in codes])
                found = class_heat(network, target, batch, metadata, method, chosen.to(device))
            heat.append(on_image(network, found, size))
    return np.concatenate(heat)


def decided_heat(
    network: Network,
    target: Target,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    method: str,
) -> Heat:
    """Heat [B, H, W] in [0, 1] of the class that the network itself decides for each image.

    Args:
        network: in eval mode.
        target: as `heat_target` gives it.
        batch: [B, 3, H, W] normalised.
        metadata: [B, M], None where the network reads none.
        method: name in the registry `explainers`.
    """
    with torch.inference_mode():
        decided = network(batch, metadata).argmax(dim=1)
    return class_heat(network, target, batch, metadata, method, decided.clone())


def class_heat(
    network: Network,
    target: Target,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    method: str,
    classes: torch.Tensor,
) -> Heat:
    """The same of a class index [B] for each image."""
    layer, reshape = target
    explain = registry.explainers.get(method).explain
    return explain(network, layer, reshape, batch, metadata, classes)


def on_image(network: Network, heat: Heat, size: int) -> Heat:
    """Heat of what the network saw, e.g. of a crop, in its place on the stored image."""
    if network.geometry is None:
        return heat
    restore = cast("Callable[[torch.Tensor, int], torch.Tensor]", network.geometry.restore)
    placed: Heat = restore(torch.from_numpy(heat), size).numpy()
    return placed


def can_explain(fit: LoadedFit) -> bool:
    """Whether a heatmap of this fit is possible: it has a network that reads the image."""
    return fit.network is not None and fit.network.encoder is not None


def explainable(fit: LoadedFit) -> Network:
    """A fit's network in eval mode.

    Raises:
        UsageError: it has none that reads the image.
    """
    if fit.network is None or not can_explain(fit):
        raise UsageError(
            f"fit {fit.fit_id} ({fit.spec.model.name}, input {fit.spec.input.name}): has no "
            f"network that reads the image, so there is nothing to show on it"
        )
    return fit.network.eval()


def heat_target(fit: LoadedFit) -> Target:
    """The layer of a fit's network that heatmaps are read from, and how it is reshaped.

    Raises:
        UsageError: its model shows no layer.
    """
    entry, network = registry.models.get(fit.spec.model.name), fit.network
    if entry.target_layer is None or network is None or network.encoder is None:
        raise UsageError(f"model {fit.spec.model.name}: names no layer for heatmaps")
    return entry.target_layer(network.encoder)


def save_heatmap(
    heat_path: Path, overlay_path: Path, heat: Heat, image: npt.NDArray[np.uint8]
) -> None:
    """Write heat as a picture by itself, and one over its image.

    Args:
        heat_path: the WebP of the heat alone, atomically.
        overlay_path: the WebP of both.
        heat: [H, W] in [0, 1].
        image: [H, W, 3] uint8.

    Raises:
        StoreError: a file cannot be written.
    """
    from matplotlib import colormaps
    from PIL import Image

    coloured = colormaps[COLOURS](np.clip(heat, 0.0, 1.0))[..., :3] * 255.0
    blended = (1.0 - STRENGTH) * image + STRENGTH * coloured
    for path, pixels in ((heat_path, coloured), (overlay_path, blended)):
        save_picture(path, Image.fromarray(np.rint(pixels).astype(np.uint8)), PICTURE)
