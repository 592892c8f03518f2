"""Grad-CAM of many images: skinbench beside pytorch-grad-cam, one by one and in batches.

python benchmark/gradcam.py [--images 2003] [--size 128] [--single 64] [--model mobilenetv2_100]

The maps of all are compared. One by one is timed on `--single` images and scaled. Weights are
random: they change no time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from skinbench import registry
from skinbench.learn.allocator import keep_pages

BATCH = 32
CLASSES = 7


def main() -> None:
    """Print the times as one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2003)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--single", type=int, default=64)
    parser.add_argument("--model", default="mobilenetv2_100")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    keep_pages()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    network = _network(asked.model)
    entry = registry.models.get(asked.model)
    layer, reshape = entry.target_layer(network.encoder)
    images = torch.randn(asked.images, 3, asked.size, asked.size)
    explain = registry.explainers.get("gradcam").explain

    def forward(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return network(batch).numpy()

    def ours(batch: torch.Tensor) -> np.ndarray:
        return explain(network, layer, reshape, batch, None, _classes(batch))

    with GradCAM(network, [layer], reshape_transform=reshape) as method:

        def theirs(batch: torch.Tensor) -> np.ndarray:
            targets = [ClassifierOutputTarget(int(index)) for index in _classes(batch)]
            return method(input_tensor=batch, targets=targets)

        few = images[: asked.single]
        scale = asked.images / asked.single
        rows = [
            ("forward pass", _seconds(forward, images, BATCH)[0]),
            ("skinbench, Grad-CAM", _seconds(ours, images, BATCH)[0]),
            (f"pytorch-grad-cam, batches of {BATCH}", _seconds(theirs, images, BATCH)[0]),
            (
                f"pytorch-grad-cam, one by one ({asked.single} measured)",
                _seconds(theirs, few, 1)[0] * scale,
            ),
        ]
        apart = np.abs(_seconds(ours, few, BATCH)[1] - _seconds(theirs, few, BATCH)[1]).max()
    print(f"| {asked.images:,} images, {asked.model}, {asked.size} px | seconds | to skinbench |")
    print("| --- | ---: | ---: |")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.1f} | {seconds / rows[1][1]:.2f} |")
    print(f"\nLargest difference between the maps: {apart:.1e}")


def _network(name: str) -> torch.nn.Module:
    """An encoder with a linear head, as skinbench builds it."""
    encoder = registry.models.get(name).build({}, None, False, 128)

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.head = torch.nn.Linear(encoder.num_features, CLASSES)

        def forward(self, pixels: torch.Tensor, _metadata: object = None) -> torch.Tensor:
            return self.head(self.encoder(pixels))

    return Whole().eval().to(memory_format=torch.channels_last)


def _classes(batch: torch.Tensor) -> torch.Tensor:
    return torch.arange(len(batch)) % CLASSES


def _seconds(
    work: Callable[[torch.Tensor], np.ndarray], images: torch.Tensor, size: int
) -> tuple[float, np.ndarray]:
    """Seconds over all images in batches, after one batch to warm up; and what it gave."""
    work(images[:size])
    start = time.perf_counter()
    found = [work(part) for part in images.split(size)]
    return time.perf_counter() - start, np.concatenate(found)


if __name__ == "__main__":
    main()
