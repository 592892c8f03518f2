"""How a network sees a part of a fit's data: as pixels, or as stored features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from skinbench.errors import UsageError
from skinbench.learn.arrays import FitArrays, Part
from skinbench.learn.batches import to_unit
from skinbench.learn.drawn import Drawn
from skinbench.learn.forward import folded, images_per_pass
from skinbench.learn.network import Network
from skinbench.learn.runtime import VIEWS, autocast, derive_seed
from skinbench.records import TrainSpec
from skinbench.records.entries import Mix

Ints = npt.NDArray[np.int64]

VAL_BATCH = 256
"""Most val images in one pass of a network; part of the numbers."""


class View(Protocol):
    """The images of a part, by position."""

    labels: torch.Tensor
    """[N] int64 on the network's device."""
    most: int
    """Images that go through the network at once where nothing is learnt."""

    def start_epoch(self, epoch: int) -> None:
        """What is drawn from here on is the epoch's, whatever was drawn before."""
        ...

    def logits(self, positions: Ints) -> torch.Tensor:
        """Logits [B, C] float32 of the network at these positions."""
        ...

    def drawn(self, positions: Ints, mix: Mix | None = None) -> Drawn:
        """The batch at these positions with everything random about its images drawn.

        Args:
            positions: [B].
            mix: mixes the images with each other; None: each stays itself.
        """
        ...


class FeatureView:
    """Runs the head alone, on stored features or on metadata alone.

    Args:
        network: its head is trained.
        part: labels and metadata.
        features: [R, F] float32 over all rows of the datasets for each fixed view of the images;
            none where no image is read.
        rows: [N] row in `features` for each position.
        train: precision and seed.
    """

    def __init__(
        self,
        network: Network,
        part: Part,
        features: Sequence[torch.Tensor],
        rows: Ints,
        train: TrainSpec,
    ) -> None:
        device = network.mean.device
        self._network, self._train = network, train
        self._features = [tensor.to(device) for tensor in features]
        self._draws = np.random.default_rng(0)
        self._rows = torch.from_numpy(rows).to(device)
        self._metadata = metadata_tensor(part, device)
        self._device = device
        self.labels, self.most = torch.from_numpy(part.labels).to(device), VAL_BATCH

    def logits(self, positions: Ints) -> torch.Tensor:
        """Logits [B, C] float32 of the head at these positions."""
        return self.drawn(positions).logits()

    def drawn(self, positions: Ints, mix: Mix | None = None) -> Drawn:
        """Features, each of the view drawn for its image, and metadata.

        Raises:
            UsageError: they are to be mixed; there is no image to mix.
        """
        if mix is not None:
            raise UsageError("mixup and cutmix mix pixels, and this input reads none")
        where = torch.from_numpy(positions).to(self._device)
        features = metadata = None
        if self._features:
            features = self._take(self._rows.index_select(0, where))
        if self._metadata is not None:
            metadata = self._metadata.index_select(0, where)
        return Drawn(given=(features, metadata), run=self._run, count=len(positions))

    def _run(self, features: torch.Tensor | None, metadata: torch.Tensor | None) -> torch.Tensor:
        with autocast(self._train):
            logits: torch.Tensor = self._network.head(features, metadata)
        return logits.float()

    def start_epoch(self, epoch: int) -> None:
        """Draw views from here on as this epoch does."""
        self._draws = np.random.default_rng(derive_seed(self._train.seed, VIEWS, epoch))

    def _take(self, rows: torch.Tensor) -> torch.Tensor:
        """Features [B, F] of rows, each image in a view of its own where there are several."""
        # index_select copies into torch's own aligned memory: the same bits in any pack.
        found = self._features[0].index_select(0, rows)
        if len(self._features) > 1:
            drawn = torch.from_numpy(self._draws.integers(len(self._features), size=len(rows)))
            drawn = drawn.to(self._device)
            for index, features in enumerate(self._features[1:], start=1):
                here = torch.nonzero(drawn == index)[:, 0]
                found[here] = features.index_select(0, rows.index_select(0, here))
        return found


class PixelView:
    """Runs the whole network on pixels gathered from the pixel store.

    Args:
        network: a frozen encoder gets no gradient, and is folded.
        arrays: where pixels come from.
        part: which images.
        augment: random transforms of pixels in [0, 1]; None for none.
        train: precision.
    """

    def __init__(
        self,
        network: Network,
        arrays: FitArrays,
        part: Part,
        augment: nn.Module | None,
        train: TrainSpec,
    ) -> None:
        device = network.mean.device
        self._network, self._arrays, self._part = network, arrays, part
        self._augment, self._train, self._device = augment, train, device
        self._metadata = metadata_tensor(part, device)
        self.labels = torch.from_numpy(part.labels).to(device)
        self.most = min(VAL_BATCH, images_per_pass(train.image_size, device))
        still = network.frozen and network.encoder is not None
        self._encoder = folded(network, train.image_size, device) if still else None

    def start_epoch(self, epoch: int) -> None:
        """Nothing: transforms draw from torch's global generator."""

    def logits(self, positions: Ints) -> torch.Tensor:
        """Logits [B, C] float32 of the network at these positions."""
        return self.drawn(positions).logits()

    def drawn(self, positions: Ints, mix: Mix | None = None) -> Drawn:
        """Augmented pixels and metadata; metadata are mixed in the same shares as pixels."""
        pixels, metadata = self._pixels(positions), self._metadata_at(positions)
        if mix is None:
            return Drawn(given=(pixels, metadata), run=self._run, count=len(positions))
        with torch.no_grad():
            pixels, partner, share = mix(pixels)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        if metadata is not None:
            metadata = share * metadata + (1.0 - share) * metadata.index_select(0, partner)
        return Drawn(
            given=(pixels, metadata),
            run=self._run,
            count=len(positions),
            partner=partner,
            share=share,
        )

    def _pixels(self, positions: Ints) -> torch.Tensor:
        pixels = to_unit(self._arrays.gather(self._part, positions), self._device)
        if self._augment is not None:
            with torch.no_grad():
                pixels = self._augment(pixels).contiguous(memory_format=torch.channels_last)
        return pixels

    def _metadata_at(self, positions: Ints) -> torch.Tensor | None:
        if self._metadata is None:
            return None
        return self._metadata.index_select(0, torch.from_numpy(positions).to(self._device))

    def _run(self, pixels: torch.Tensor, metadata: torch.Tensor | None) -> torch.Tensor:
        seen = self._network.normalise(pixels)
        with autocast(self._train):
            if self._encoder is None:
                logits: torch.Tensor = self._network(seen, metadata)
            else:
                logits = self._network.head(self._encoder(seen), metadata)
        return logits.float()


def metadata_tensor(part: Part, device: torch.device) -> torch.Tensor | None:
    """A part's encoded metadata [N, M] on a device; None where the input reads none."""
    return None if part.metadata is None else torch.tensor(part.metadata, device=device)


def feature_rows(arrays: FitArrays, part: Part, sizes: Mapping[int, int]) -> Ints:
    """Rows of a part in the features of all datasets laid end to end.

    Args:
        arrays: the fit's datasets.
        part: train or val.
        sizes: images of each dataset, by its position in `arrays.datasets`.
    """
    starts = np.cumsum([0, *(sizes[index] for index in range(len(arrays.datasets)))])
    rows: Ints = (starts[part.dataset] + part.rows).astype(np.int64)
    return rows
