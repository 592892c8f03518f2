"""Embeddings by a pretrained network: the first stage's idea of what looks alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.errors import UsageError

MODEL = "mobilenetv2_100"
SIDE = 160
"""Pixels; every image is squashed to a square, as some archives did before us."""
BATCH = 32
"""Images of one forward pass; part of the numbers."""
_MEAN = _STD = 0.5


def weights_file(weights: Path | None) -> Path | None:
    """The network's weights: a .safetensors file, or the one for MODEL in a folder.

    None where there is none.

    Raises:
        UsageError: a path that does not exist was named.
    """
    if weights is None:
        return None
    if weights.is_dir():
        found = sorted(weights.glob(f"{MODEL}*.safetensors"))
        return found[0] if found else None
    if not weights.is_file():
        raise UsageError(f"{weights}: there are no weights; name a .safetensors file of {MODEL}")
    return weights


class Embedder:
    """A network without its classifier, in eval mode on the CPU.

    Args:
        path: safetensors file of MODEL, trained with mean and standard deviation 0.5.

    Raises:
        UsageError: the file does not fit the network.
    """

    def __init__(self, path: Path) -> None:
        entry = registry.models.get(MODEL)
        if entry.build is None:
            raise UsageError(f"model {MODEL}: is a baseline without a network")
        network = entry.build(dict(entry.options), path, False, SIDE)
        self._network = network.eval().to(memory_format=torch.channels_last)

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pixels [B, SIDE, SIDE, 3] -> embeddings [B, E]: the mean over all places."""
        with torch.inference_mode():
            batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
            batch = (batch - _MEAN) / _STD
            batch = batch.contiguous(memory_format=torch.channels_last)
            places = cast(Any, self._network).forward_features(batch)
            found: npt.NDArray[np.float32] = places.mean((2, 3)).numpy()
        return found
