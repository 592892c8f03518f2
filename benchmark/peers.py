"""What people use today to predict and to train, as torchvision's and timm's examples have it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmark.prediction import MEAN, STD
from benchmark.workload import BATCH, LABELS, MODEL, SIZE, weights


def network(name: str = MODEL) -> Any:
    """A network as timm builds it, with its weights, in eval mode."""
    import timm
    from safetensors.torch import load_file

    made = timm.create_model(name, pretrained=False, num_classes=len(LABELS))
    made.load_state_dict(load_file(weights(name)))
    return made.eval()


def dataset(
    files: Sequence[Path], labels: Sequence[int], *, mean: float = MEAN, std: float = STD
) -> Any:
    """Images decoded by PIL and made tensors one by one, each with its label."""
    import torch
    from PIL import Image
    from torch.utils.data import Dataset
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.Resize((SIZE, SIZE), antialias=True),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([mean] * 3, [std] * 3),
        ]
    )

    class Images(Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            with Image.open(files[index]) as image:
                return transform(image.convert("RGB")), labels[index]

    return Images()


def outputs(files: Sequence[Path], model: Any) -> np.ndarray:
    """What a network says of images: two workers decode, this process computes."""
    import torch
    from torch.utils.data import DataLoader

    model = model.to(memory_format=torch.channels_last)
    loader = DataLoader(dataset(files, [0] * len(files)), batch_size=BATCH, num_workers=2)
    with torch.inference_mode():
        found = [model(batch.to(memory_format=torch.channels_last)) for batch, _ in loader]
        return torch.cat(found).numpy()


def probabilities(files: Sequence[Path], name: str = MODEL) -> np.ndarray:
    """Of one network [N, C]."""
    import torch

    return torch.from_numpy(outputs(files, network(name))).softmax(dim=1).numpy()
