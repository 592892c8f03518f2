"""Grad-CAM of many images: skinbench beside pytorch-grad-cam, one by one and in batches.

python -m benchmark.gradcam HOW COUNT does it one way; benchmark/run.py compares them. Weights
and pixels are random: they change no time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from benchmark.run import Entry, Row
from benchmark.workload import ALLOCATOR, LABELS, MODEL, SIZE

BATCH = 32
SINGLE = 100
"""Images that are explained one by one; their time is scaled to all."""
THREADS = 2


def entries(small: bool) -> Row:
    """All with the allocator set, which skinbench does by itself."""
    count = 32 if small else 2003

    def entry(name: str, how: str) -> Entry:
        command = ("-m", "benchmark.gradcam", how, str(count))
        return Entry(name=name, command=command, environment=ALLOCATOR)

    return Row(
        title=f"Grad-CAM, {count:,} images in memory, {MODEL}, {SIZE} px, {THREADS} threads",
        images=count,
        reference="skinbench",
        entries=(
            entry("skinbench", "skinbench"),
            entry(f"pytorch-grad-cam, batches of {BATCH}", "library"),
            entry("pytorch-grad-cam, one by one", "single"),
            entry("the forward pass alone", "forward"),
        ),
        notes=(f"One by one is measured on {min(count, SINGLE)} images and scaled.",),
    )


def network() -> Any:
    """An encoder with a linear head, called as skinbench calls its networks."""
    import torch

    from skinbench import registry

    torch.manual_seed(0)
    entry = registry.models.get(MODEL)
    assert entry.build is not None
    encoder = entry.build({}, None, False, SIZE)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.head = torch.nn.Linear(encoder.num_features, len(LABELS))

        def forward(self, pixels: torch.Tensor, _metadata: object = None) -> torch.Tensor:
            return self.head(self.encoder(pixels))

    return Whole().eval().to(memory_format=torch.channels_last)


def ways() -> dict[str, Callable[[Any], np.ndarray]]:
    """A batch [B, 3, S, S] -> heat [B, S, S], or logits for the forward pass."""
    import torch
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from skinbench import registry

    whole, entry = network(), registry.models.get(MODEL)
    assert entry.target_layer is not None
    layer, reshape = entry.target_layer(whole.encoder)
    explain = registry.explainers.get("gradcam").explain
    method = GradCAM(whole, [layer], reshape_transform=reshape)

    def classes(batch: torch.Tensor) -> torch.Tensor:
        return torch.arange(len(batch)) % len(LABELS)

    def forward(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return whole(batch).numpy()

    def ours(batch: torch.Tensor) -> np.ndarray:
        return explain(whole, layer, reshape, batch, None, classes(batch))

    def library(batch: torch.Tensor) -> np.ndarray:
        targets = [ClassifierOutputTarget(int(index)) for index in classes(batch)]
        return method(input_tensor=batch, targets=targets)

    return {"forward": forward, "skinbench": ours, "library": library, "single": library}


def main() -> None:
    """Do it one way; the last line is JSON."""
    import torch

    how, count = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(THREADS)
    work = ways()[how]
    size = 1 if how == "single" else BATCH
    done = min(count, SINGLE) if how == "single" else count
    torch.manual_seed(1)
    images = torch.randn(done, 3, SIZE, SIZE)
    first = work(images[:size])
    start = time.perf_counter()
    for part in images.split(size):
        work(part)
    seconds = (time.perf_counter() - start) * count / done
    said: dict[str, object] = {"seconds": seconds}
    if how != "forward":
        # The first image's map to two digits: below that, sums in another order differ.
        said["result"] = np.array2string(first[0, ::32, ::32].ravel(), precision=2)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
