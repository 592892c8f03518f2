"""Whether heatmaps tell anything: where they lie, what they predict, what changes them.

Every explainer is judged beside two maps that know nothing. Deletion and insertion are those of
Petsiuk 2018 (RISE), the pointing game that of Zhang 2018, shuffled weights stand for the sanity
checks of Adebayo 2018.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.nn import functional

from skinbench import registry
from skinbench.data.lesion_masks import LESION, Masks, known, mask_digest, open_masks
from skinbench.learn.arrays import Sources
from skinbench.learn.artefacts import DARK, artefact_regions, flagged
from skinbench.learn.batches import to_unit
from skinbench.learn.explain import Heat, Target, explainable, heat_target, on_image
from skinbench.learn.network import Network
from skinbench.learn.runtime import derive_seed, torch_session
from skinbench.learn.saved import LoadedFit, Weights, load_fit
from skinbench.records import FitSpec
from skinbench.records.explaining import CONTROLS, HEAT_MEASURES
from skinbench.store import Store

BATCH = 16
STEPS = 16
"""Steps from nothing removed to everything, an equal number of pixels each."""
BLOB = 0.25
"""Standard deviation of the blob in the middle, as a share of the side."""
GRAIN = 8
"""The smooth noise has so many independent values along a side."""
SHUFFLE = 71
"""Stream of the shuffled weights."""

Explain = Callable[[torch.Tensor, torch.Tensor | None, torch.Tensor], Heat]
Columns = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class HeatRequest:
    """What to judge of one fit on images of one dataset."""

    fit_id: str
    dataset: str
    """Manifest digest."""
    image_ids: tuple[str, ...]
    sample: frozenset[str]
    """Those that slow explainers, and measures that need further passes, are taken of."""
    methods: tuple[str, ...]
    """Explainers and controls."""
    masks: str | None = None
    """Digest of the lesion mask files; None where the dataset has none."""


def judge_heat(
    request: HeatRequest,
    store: Store,
    *,
    weights: Weights,
    progress: Callable[[str, int, int], None] | None = None,
) -> pd.DataFrame:
    """Measures of explainers and controls on every image.

    Args:
        request: fit, images and what to judge.
        store: holds fit, manifest, pixels and masks.
        weights: weights files by their sha256.
        progress: called with ("heatmaps", images done, images).

    Returns:
        image_id, method, `lesion` and a column for each of HEAT_MEASURES, NaN where it was not
        taken; sorted by image and method, whatever the order of the ids.

    Raises:
        UsageError: the fit has no network that reads the image, or a method cannot explain it.
        MissingExtraError: a method's library is not installed.
    """
    fit = load_fit(request.fit_id, store, weights)
    with torch_session(fit.spec.train) as device:
        judge = _Judge(fit, request, store, device)
        empty = pd.DataFrame(columns=["image_id", "method", "lesion", *HEAT_MEASURES])
        frames = [empty.astype(dict.fromkeys(empty.columns[2:], np.float64))]
        for done, frame in judge.batches():
            frames.append(frame)
            if progress is not None:
                progress("heatmaps", done, judge.count)
    found = pd.concat(frames[1:] or frames, ignore_index=True)
    return found.sort_values(["image_id", "method"], kind="stable", ignore_index=True)


@dataclass(kw_only=True)
class _Seen:
    """One batch as the network sees it, and as it is stored."""

    ids: npt.NDArray[np.object_]
    images: npt.NDArray[np.uint8]
    batch: torch.Tensor
    metadata: torch.Tensor | None
    decided: torch.Tensor
    masks: Masks | None
    sampled: npt.NDArray[np.bool_]
    blurred: torch.Tensor = field(init=False)
    regions: dict[str, npt.NDArray[np.bool_]] = field(init=False)
    """Where artefacts lie."""

    def __post_init__(self) -> None:
        self.regions = artefact_regions(self.images)
        side = self.batch.shape[-1]
        small = functional.adaptive_avg_pool2d(self.batch, max(1, side // 16))
        self.blurred = functional.interpolate(
            small, size=self.batch.shape[-2:], mode="bilinear", align_corners=False
        )

    def some(self, keep: npt.NDArray[np.bool_]) -> _Seen:
        """Only some of the images."""
        here = torch.from_numpy(keep).to(self.batch.device)
        return _Seen(
            ids=self.ids[keep],
            images=self.images[keep],
            batch=self.batch[here],
            metadata=None if self.metadata is None else self.metadata[here],
            decided=self.decided[here],
            masks=None if self.masks is None else self.masks[keep],
            sampled=self.sampled[keep],
        )


class _Judge:
    def __init__(
        self, fit: LoadedFit, request: HeatRequest, store: Store, device: torch.device
    ) -> None:
        self.request, self.spec, self.device = request, fit.spec, device
        self.network = explainable(fit).to(device)
        self.encoder = fit.encoder
        self.shuffled = _shuffled(self.network, fit.spec)
        self.sources = Sources(store)
        self.target = heat_target(fit)
        self.shuffled_target = _same_place(self.network, self.shuffled, self.target)
        size = fit.spec.train.image_size
        self.pixels = self.sources.seen(request.dataset, size, fit.spec.pixels).images
        self.masks = _masks(fit.spec, request, store)

        # Where only slow explainers are asked for, no other image needs to be seen.
        slow = all(_slow(method) for method in request.methods)
        ids = set(request.image_ids) & request.sample if slow else set(request.image_ids)
        self._ids = sorted(ids)

    @property
    def count(self) -> int:
        """Images that are seen."""
        return len(self._ids)

    def batches(self) -> Iterator[tuple[int, pd.DataFrame]]:
        ids = np.array(self._ids, dtype=object)
        rows = self.sources.rows(self.request.dataset, ids)
        for start in range(0, len(ids), BATCH):
            part = slice(start, start + BATCH)
            seen = self._seen(ids[part], rows[part])
            yield min(start + BATCH, len(ids)), pd.concat(self._measured(seen))

    def _seen(self, ids: npt.NDArray[np.object_], rows: npt.NDArray[np.int64]) -> _Seen:
        images = np.take(self.pixels, rows, axis=0)
        metadata = None
        if self.encoder is not None:
            table = self.sources.manifest(self.request.dataset).table.iloc[rows]
            metadata = torch.tensor(self.encoder.transform(table), device=self.device)
        batch = self.network.normalise(to_unit(images, self.device))
        with torch.inference_mode():
            decided = self.network(batch, metadata).argmax(dim=1)
        return _Seen(
            ids=ids,
            images=images,
            batch=batch.clone(),
            metadata=metadata,
            decided=decided.clone(),
            masks=None if self.masks is None else np.take(self.masks, rows, axis=0),
            sampled=np.array([str(one) in self.request.sample for one in ids]),
        )

    def _measured(self, seen: _Seen) -> Iterator[pd.DataFrame]:
        for method in self.request.methods:
            part = seen.some(seen.sampled) if _slow(method) else seen
            if len(part.ids):
                columns = self._columns(method, part)
                yield pd.DataFrame({"image_id": part.ids, "method": method, **columns})

    def _columns(self, method: str, seen: _Seen) -> Columns:
        heat = self._heat(method, seen)
        placed = on_image(self.network, heat, self.pixels.shape[1])
        found = {name: np.full(len(seen.ids), np.nan) for name in ("lesion", *HEAT_MEASURES)}
        found.update(_located(placed, seen))
        if seen.sampled.any():
            part, own = seen.some(seen.sampled), heat[seen.sampled]
            for name, values in self._passed(method, part, own).items():
                found[name][seen.sampled] = values
        return found

    def _passed(self, method: str, seen: _Seen, heat: Heat) -> Columns:
        """Measures that need further passes through the network."""
        found = _curves(self.network, seen, heat)
        if method not in CONTROLS:
            mirrored = self._by(self.network, self.target, method)(
                seen.batch.flip(3), seen.metadata, seen.decided
            )
            found["flip"] = _correlations(heat, mirrored[:, :, ::-1])
            other = self._by(self.shuffled, self.shuffled_target, method)(
                seen.batch, seen.metadata, seen.decided
            )
            found["randomised"] = _correlations(heat, other)
        return found

    def _heat(self, method: str, seen: _Seen) -> Heat:
        side = seen.batch.shape[-1]
        if method == "centre":
            return np.repeat(_blob(side)[None], len(seen.ids), axis=0)
        if method == "random":
            return np.stack([_noise(str(one), side) for one in seen.ids])
        explain = self._by(self.network, self.target, method)
        return explain(seen.batch, seen.metadata, seen.decided)

    def _by(self, network: Network, target: Target, method: str) -> Explain:
        entry, (layer, reshape) = registry.explainers.get(method), target
        return lambda batch, about, classes: entry.explain(
            network, layer, reshape, batch, about, classes
        )


def _slow(method: str) -> bool:
    return method not in CONTROLS and registry.explainers.get(method).slow


def _masks(spec: FitSpec, request: HeatRequest, store: Store) -> Masks | None:
    """Lesion masks that lie over what the fit sees; None where its pixels are another picture."""
    elsewhere = spec.pixels is not None and registry.pixels.get(spec.pixels.name).map == "mask"
    if request.masks is None or elsewhere:
        return None
    return open_masks(store, mask_digest(request.dataset, request.masks, spec.train.image_size))


def _shuffled(network: Network, spec: FitSpec) -> Network:
    """The same network, the values of each of its weights in another order."""
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(derive_seed(spec.train.seed, SHUFFLE))
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other


def _same_place(network: Network, other: Network, target: Target) -> Target:
    """The layer of a copy that stands where the target stands in the original."""
    names = {id(module): name for name, module in network.named_modules()}
    layer, reshape = target
    return other.get_submodule(names[id(layer)]), reshape


def _located(heat: Heat, seen: _Seen) -> Columns:
    """Where the heat of stored images [N, S, S] lies; NaN for an image without heat or mask."""
    total = heat.sum(axis=(1, 2), dtype=np.float64)
    found = {
        "corners": _share(heat, seen.regions["corners"], total),
        "dark": _share(heat, seen.images.max(axis=3) < DARK, total),
    }
    found.update({f"on_{name}": hits for name, hits in flagged(heat, seen.regions).items()})
    if seen.masks is not None:
        has, lesion = known(seen.masks), seen.masks == LESION
        hottest = heat.reshape(len(heat), -1).argmax(axis=1)
        points = lesion.reshape(len(heat), -1)[np.arange(len(heat)), hottest]
        blank = np.where(has, 0.0, np.nan)
        found["lesion"] = lesion.mean(axis=(1, 2)) + blank
        found["inside"] = _share(heat, lesion, total) + blank
        found["pointing"] = np.where(total > 0, points.astype(np.float64), np.nan) + blank
    return found


def _share(
    heat: Heat, where: npt.NDArray[np.bool_], total: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    part = np.where(where, heat, 0.0).sum(axis=(1, 2), dtype=np.float64)
    share = np.full(len(heat), np.nan)
    np.divide(part, total, out=share, where=total > 0)
    return share


def _curves(network: Network, seen: _Seen, heat: Heat) -> Columns:
    """Areas under the curves of deletion and insertion [N], by the trapezoidal rule."""
    count, pixels = len(seen.batch), heat[0].size
    order = np.argsort(-heat.reshape(count, -1), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(pixels)[None], axis=1)
    place = torch.from_numpy(rank).view(count, 1, *heat.shape[1:]).to(seen.batch.device)
    curves: dict[str, list[torch.Tensor]] = {"deletion": [], "insertion": []}
    with torch.inference_mode():
        for step in range(STEPS + 1):
            hot = place < pixels * step // STEPS
            for name, changed in (
                ("deletion", torch.where(hot, torch.zeros_like(seen.batch), seen.batch)),
                ("insertion", torch.where(hot, seen.batch, seen.blurred)),
            ):
                chances = network(changed, seen.metadata).float().softmax(dim=1)
                curves[name].append(chances.gather(1, seen.decided[:, None])[:, 0].cpu())
    return {
        name: np.trapezoid(torch.stack(values).double().numpy(), dx=1 / STEPS, axis=0)
        for name, values in curves.items()
    }


def _correlations(left: Heat, right: Heat) -> npt.NDArray[np.float64]:
    """Pearson's correlation of each pair of maps [N].

    A flat map is related to no other: 0 where one of the two is flat, NaN where both are.
    """
    first, second = (
        (maps - maps.mean(axis=(1, 2), keepdims=True)).astype(np.float64) for maps in (left, right)
    )
    spread, other = (first**2).sum(axis=(1, 2)), (second**2).sum(axis=(1, 2))
    both = np.sqrt(spread * other)
    found = np.where((spread > 0) | (other > 0), 0.0, np.nan)
    np.divide((first * second).sum(axis=(1, 2)), both, out=found, where=both > 0)
    return found


def _blob(side: int) -> Heat:
    offset = (np.arange(side) + 0.5) / side - 0.5
    one = np.exp(-0.5 * (offset / BLOB) ** 2)
    blob: Heat = (one[:, None] * one[None]).astype(np.float32)
    return blob


def _noise(image_id: str, side: int) -> Heat:
    """Smooth noise in [0, 1], the same for an image wherever it is asked for."""
    seed = int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "little")
    coarse = np.random.default_rng(seed).random((GRAIN, GRAIN), dtype=np.float32)
    large = functional.interpolate(
        torch.from_numpy(coarse)[None, None], size=(side, side), mode="bilinear"
    )
    noise: Heat = large[0, 0].numpy()
    return noise
