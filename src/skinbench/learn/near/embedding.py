"""Embeddings by a pretrained network: the first stage's idea of what looks alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.errors import UsageError

MODELS = ("mobilenetv1_100", "mobilenetv2_100")
"""In order of preference: of six known pairs in HAM10000 the first ranks every partner first or
second, the second network one at 51."""
SIDE = 160
"""Pixels; every image is squashed to a square, as some archives did before us."""
BATCH = 32
"""Images of one forward pass; part of the numbers."""
_MEAN = _STD = 0.5


def weights_file(weights: Path | None) -> Path | None:
    """The network's weights: a .safetensors file, or the one for MODELS in a folder.

    None where there is none.

    Raises:
        UsageError: a path was named that is no weights of these networks.
    """
    if weights is None:
        return None
    if weights.is_dir():
        found = (path for model in MODELS for path in sorted(weights.glob(f"{model}*.safetensors")))
        return next(found, None)
    if not weights.is_file() or not weights.name.startswith(MODELS):
        raise UsageError(
            f"{weights}: is no weights file for near-duplicates; name MODEL*.safetensors, where "
            f"MODEL is {' or '.join(MODELS)}"
        )
    return weights


class Embedder:
    """A network without its classifier, in eval mode on the CPU.

    Args:
        path: safetensors file of `weights_file`, trained with mean and standard deviation 0.5.

    Raises:
        UsageError: the file does not fit the network.
    """

    def __init__(self, path: Path) -> None:
        model = next(name for name in MODELS if path.name.startswith(name))
        entry = registry.models.get(model)
        if entry.build is None:
            raise UsageError(f"model {model}: is a baseline without a network")
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
