"""Two-block CNN of Sadvakassov 2026: conv 32 and 64, flatten, two dense layers of 64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skinbench.errors import UsageError
from skinbench.records.entries import ModelEntry, Preprocessing

if TYPE_CHECKING:
    import torch

CHANNELS = (32, 64)
WIDTH = 64


def build(
    options: Mapping[str, object],  # noqa: ARG001 -- the model takes none
    weights_path: Path | None,
    pretrained: bool,
    image_size: int,
) -> torch.nn.Module:
    """The network up to its last hidden layer: [B, 3, S, S] -> [B, 64].

    The 7-way softmax of the paper is the input's head. The paper does not state the padding;
    `same` is taken, so that the flattened map is (S // 4)^2 x 64.

    Raises:
        UsageError: pretrained weights are asked for, or the image is under 4 pixels.
    """
    from torch import nn

    if pretrained or weights_path is not None:
        raise UsageError(
            "model baseline_cnn: has no pretrained weights; set `pretrained: false`, "
            "or start from another fit of it"
        )
    if image_size < 4:
        raise UsageError(f"model baseline_cnn: image_size {image_size} is under 4 pixels")
    layers: list[nn.Module] = []
    incoming = 3
    for outgoing in CHANNELS:
        layers += [
            nn.Conv2d(incoming, outgoing, kernel_size=3, padding=1),
            nn.BatchNorm2d(outgoing),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        incoming = outgoing
    side = image_size // 4
    layers += [nn.Flatten(), nn.Linear(incoming * side * side, WIDTH), nn.ReLU()]
    layers += [nn.Linear(WIDTH, WIDTH), nn.ReLU()]
    encoder = nn.Sequential(*layers)
    encoder.num_features = WIDTH  # type: ignore[assignment]
    return encoder


def preprocessing(options: Mapping[str, object]) -> Preprocessing:  # noqa: ARG001
    """The paper scales pixels to [0, 1] and no further."""
    return Preprocessing()


def target_layer(
    encoder: torch.nn.Module,
) -> tuple[torch.nn.Module, Callable[..., Any] | None]:
    """The last convolution block before pooling (its ReLU)."""
    return encoder[6], None  # type: ignore[index]


def layers(encoder: torch.nn.Module, coarse: bool) -> list[list[str]]:  # noqa: ARG001
    """The two convolution blocks and the two dense layers; there is nothing finer."""
    names = [name for name, _ in encoder.named_parameters()]
    starts = (0, 4, 9, 11)
    return [
        [name for name in names if start <= int(name.partition(".")[0]) < stop]
        for start, stop in zip(starts, (*starts[1:], 13), strict=True)
    ]


ENTRY = ModelEntry(
    version=1,
    build=build,
    preprocessing=preprocessing,
    target_layer=target_layer,
    layers=layers,
)
