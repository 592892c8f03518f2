"""Networks that find lesions: trained on masks, judged by how far theirs overlap the true ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.data.lesion_masks import Masks, known, mask_digest, open_masks
from skinbench.errors import DataError, MissingExtraError, UsageError
from skinbench.learn.arrays import FitArrays, Part, Sources
from skinbench.learn.batches import cut, to_unit
from skinbench.learn.drawn import Drawn
from skinbench.learn.forward import images_per_pass
from skinbench.learn.losses import Loss
from skinbench.learn.network import Network
from skinbench.learn.runtime import autocast, torch_session
from skinbench.learn.saved import Weights, load_fit
from skinbench.learn.stopping import ValScores
from skinbench.learn.training import Training
from skinbench.learn.views import VAL_BATCH, View
from skinbench.records import FitSpec, TrainSpec
from skinbench.records.entries import Mix
from skinbench.store import Store

Ints = npt.NDArray[np.int64]


class SegmentationTraining(Training):
    """As Training, on masks in place of labels; images without a mask are left out.

    The loss is binary cross-entropy plus soft Dice, pixel by pixel. The epochs' val_log_loss,
    val_accuracy and val_balanced_accuracy are those of pixels.
    """

    def load_arrays(self) -> FitArrays:
        """The fit's arrays with only the images that have a mask.

        Raises:
            DataError: no train image has one.
        """
        arrays = super().load_arrays()
        self._masks = _open_all(self.spec, self._shared.store)
        train, kept = self._with_masks(arrays.train)
        if not len(train):
            raise DataError("no train image has a lesion mask; a segmentation cannot be trained")
        val, _ = self._with_masks(arrays.val)
        return dataclasses.replace(arrays, train=train, val=val, copies=arrays.copies[kept])

    def build_loss(self) -> Loss:
        """(logits [B, 1, S, S], masks [B, S, S]) -> binary cross-entropy plus soft Dice loss."""
        try:
            from segmentation_models_pytorch.losses import DiceLoss
        except ImportError as error:
            raise MissingExtraError("a U-Net", "run") from error
        dice = DiceLoss(mode="binary", from_logits=True)

        def loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
            wanted = masks.unsqueeze(1).to(logits.dtype)
            entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            return entropy + cast(torch.Tensor, dice(logits, wanted))

        return loss

    def build_view(self, part: Part, *, augmented: bool) -> View:
        """Pixels with their masks; train is flipped at random where the model says so."""
        entry = registry.models.get(self.spec.model.name)
        flips = bool({**entry.options, **self.spec.model.options}["flips"]) and augmented
        masks = np.stack([self._masks[d][r] for d, r in zip(part.dataset, part.rows, strict=True)])
        train = self.spec.train
        return MaskView(self.network, self.arrays, part, masks, flips=flips, train=train)

    def score_val(self, view: View) -> ValScores:
        """Log loss, accuracy, and mean of the recalls of lesion and skin, over pixels."""
        totals = torch.zeros(5, dtype=torch.float64)
        for batch in cut(np.arange(len(self.arrays.val), dtype=np.int64), view.most):
            logits = view.logits(batch)[:, 0].double()
            truth = view.labels.index_select(0, torch.from_numpy(batch).to(view.labels.device))
            entropy = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, truth.double(), reduction="sum"
            )
            found, lesion = logits > 0, truth == 1
            sums = [entropy, (found & lesion).sum(), lesion.sum(), (~found & ~lesion).sum()]
            totals += torch.tensor([*map(float, sums), float(truth.numel())], dtype=torch.float64)
        loss, hit, lesions, clear, pixels = totals.tolist()
        recalls = [hit / lesions] if lesions else []
        recalls += [clear / (pixels - lesions)] if pixels > lesions else []
        return ValScores(
            log_loss=loss / pixels,
            accuracy=(hit + clear) / pixels,
            balanced_accuracy=float(np.mean(recalls)),
        )

    def _with_masks(self, part: Part) -> tuple[Part, npt.NDArray[np.bool_]]:
        has = [known(masks) for masks in self._masks]
        kept = np.array(
            [has[d][r] for d, r in zip(part.dataset, part.rows, strict=True)], dtype=np.bool_
        )
        chosen = Part(
            table=part.table[kept].reset_index(drop=True),
            dataset=part.dataset[kept],
            rows=part.rows[kept],
            labels=part.labels[kept],
            metadata=None,
        )
        return chosen, kept


class MaskView:
    """Runs a network on pixels whose labels are masks.

    Args:
        network: pixels -> logits [B, 1, S, S].
        arrays: where pixels come from.
        part: which images.
        masks: [N, S, S] of 0 and 1.
        flips: mirror each image at random, upright and sideways.
        train: precision.
    """

    def __init__(
        self,
        network: Network,
        arrays: FitArrays,
        part: Part,
        masks: Masks,
        *,
        flips: bool,
        train: TrainSpec,
    ) -> None:
        self._network, self._arrays, self._part = network, arrays, part
        self._device, self._flips, self._train = network.mean.device, flips, train
        self.labels = torch.from_numpy(masks).to(self._device)
        self.most = min(VAL_BATCH, images_per_pass(train.image_size, self._device))

    def start_epoch(self, epoch: int) -> None:
        """Nothing: what is drawn comes from torch's generator, seeded for the epoch."""

    def logits(self, positions: Ints) -> torch.Tensor:
        """Logits [B, 1, S, S] float32, turned back to how the masks lie."""
        return self.drawn(positions).logits()

    def drawn(self, positions: Ints, mix: Mix | None = None) -> Drawn:
        """Pixels, mirrored at random, and how each image is turned [B, 2].

        Raises:
            UsageError: images are to be mixed.
        """
        if mix is not None:
            raise UsageError("a segmentation does not mix images; leave mixup and cutmix out")
        pixels = to_unit(self._arrays.gather(self._part, positions), self._device)
        turns = (torch.rand(2, len(positions)) < 0.5).to(self._device) if self._flips else None
        if turns is not None:
            pixels = mirrored(pixels, turns).contiguous(memory_format=torch.channels_last)
            turns = turns.T
        return Drawn(given=(pixels, turns), run=self._run, count=len(positions))

    def _run(self, pixels: torch.Tensor, turns: torch.Tensor | None) -> torch.Tensor:
        with autocast(self._train):
            logits: torch.Tensor = self._network(self._network.normalise(pixels))
        return logits.float() if turns is None else mirrored(logits.float(), turns.T)


def mirrored(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Images [B, C, H, W] mirrored upright and sideways where turns [2, B] says so.

    The same turns again give the images back.
    """
    for axis, turn in zip((2, 3), turns, strict=True):
        images = torch.where(turn[:, None, None, None], images.flip(axis), images)
    return images


def find_overlaps(
    fit_id: str,
    dataset: str,
    image_ids: Sequence[str],
    store: Store,
    *,
    weights: Weights,
    batch_size: int,
) -> Ints:
    """How far the masks that a fit finds overlap the true ones, at the fit's image size.

    A pixel is found where its probability is above one half.

    Args:
        fit_id: a segmentation.
        dataset: manifest digest, of a dataset that the fit's split uses.
        image_ids: images of the dataset, in any order.
        store: holds the fit, the manifest, the pixels and the masks.
        weights: weights files by their sha256.
        batch_size: images in one pass.

    Returns:
        [N, 3] int64: pixels of both masks, of the found one, of the true one; -1 in all three
        where an image has no true one.

    Raises:
        UsageError: the fit is no segmentation.
        CorruptObjectError: something is absent or damaged.
    """
    fit, sources = load_fit(fit_id, store, weights), Sources(store)
    if fit.network is None or not fit.spec.masks:
        raise UsageError(f"fit {fit_id} ({fit.spec.model.name}): finds no lesions")
    train, network = fit.spec.train, fit.network
    masks = _open(fit.spec, dataset, store)
    pixels = sources.pixels(dataset, train.image_size).images
    rows = sources.rows(dataset, np.array(image_ids, dtype=object))
    found = np.full((len(rows), 3), -1, dtype=np.int64)
    with torch_session(train) as device, torch.inference_mode(), autocast(train):
        network = network.to(device)
        for start in range(0, len(rows), batch_size):
            here = rows[start : start + batch_size]
            batch = network.normalise(to_unit(np.take(pixels, here, axis=0), device))
            ours = (network(batch)[:, 0].float() > 0).cpu().numpy()
            truth = np.take(masks, here, axis=0)
            lesion = truth == 1
            sums = np.stack([(ours & lesion), ours, lesion]).sum(axis=(2, 3)).T
            has = known(truth)
            found[start : start + len(here)][has] = sums[has]
    return found


def _open(spec: FitSpec, dataset: str, store: Store) -> Masks:
    return open_masks(
        store, mask_digest(dataset, (spec.masks or {})[dataset], spec.train.image_size)
    )


def _open_all(spec: FitSpec, store: Store) -> list[Masks]:
    """Masks of a fit's datasets, in the order of FitArrays.datasets."""
    return [_open(spec, spec.datasets[key], store) for key in sorted(spec.datasets)]
