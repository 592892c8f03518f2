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
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR, LABELS, MODEL, SIZE

BATCH = 32
SINGLE = 100
"""Images that are explained one by one; their time is scaled to all."""
THREADS = 2


def entries(small: bool) -> Row:
    """skinbench keeps its pages by itself; the library is there as it is, and with them kept."""
    count = 32 if small else 2003

    def entry(name: str, how: str, **more: Any) -> Entry:
        command = ("-m", "benchmark.gradcam", how, str(count))
        return Entry(name=name, command=command, **more)

    ours, forward = "skinbench", "the forward pass alone"
    batches, kept = f"pytorch-grad-cam, batches of {BATCH}", "the same, allocator set"
    single, single_kept = "pytorch-grad-cam, one by one", "one by one, allocator set"
    return Row(
        title=f"Grad-CAM, {count:,} images in memory, {MODEL}, {SIZE} px, {THREADS} threads",
        images=count,
        reference=ours,
        entries=(
            entry(ours, "skinbench", environment=ALLOCATOR),
            entry(batches, "library"),
            entry(kept, "library", environment=ALLOCATOR),
            entry(single, "single"),
            entry(single_kept, "single", environment=ALLOCATOR),
            entry(forward, "forward", environment=ALLOCATOR),
        ),
        ratios=(
            Ratio(says=f"{single} / skinbench", of=single, over=ours, least=5),
            Ratio(says=f"{single_kept} / skinbench", of=single_kept, over=ours),
            Ratio(says=f"{batches} / skinbench", of=batches, over=ours, least=2),
            Ratio(says="batches, allocator set / skinbench", of=kept, over=ours),
            Ratio(says=f"skinbench / {forward}", of=ours, over=forward, most=1.6),
            Ratio(says="what the allocator gives batches", of=batches, over=kept),
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
