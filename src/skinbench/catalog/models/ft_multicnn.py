"""Image branch of Shimbre 2025 (FT-MultiCNN): conv 32, 64 and 128, each pooled, then flattened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from skinbench.errors import UsageError
from skinbench.records.entries import ModelEntry, Preprocessing

if TYPE_CHECKING:
    import torch

CHANNELS = (32, 64, 128)
SMALLEST = 2 ** len(CHANNELS)


def build(
    options: Mapping[str, object],
    weights_path: Path | None,
    pretrained: bool,
    image_size: int,
) -> torch.nn.Module:
    """The network up to its flattened map: [B, 3, S, S] -> [B, 128 x (S // 8)^2].

    Section 3.5.1: three blocks of a 3x3 convolution with 32, 64 and 128 filters and MaxPooling,
    then Flatten; the dense layer of 7 is the input's head, and `fusion_p2` joins the metadata.
    The paper states neither padding nor activation: `same` and ReLU are taken. Section 3.5.4
    adds dropout and batch normalisation without saying where or how much: `batch_norm` puts one
    behind every convolution, `dropout` is the share of the flattened map that is dropped.

    Raises:
        UsageError: pretrained weights are asked for, an option is out of range, or the image is
            under 8 pixels.
    """
    from torch import nn

    if pretrained or weights_path is not None:
        raise UsageError(
            "model ft_multicnn: has no pretrained weights; set `pretrained: false`, "
            "or start from another fit of it"
        )
    if image_size < SMALLEST:
        raise UsageError(
            f"model ft_multicnn: image_size {image_size} is under {SMALLEST} pixels, of which its "
            f"three poolings leave nothing"
        )
    dropout, batch_norm = _checked(options)
    layers: list[nn.Module] = []
    incoming = 3
    for outgoing in CHANNELS:
        block: list[nn.Module] = [nn.Conv2d(incoming, outgoing, kernel_size=3, padding=1)]
        if batch_norm:
            block.append(nn.BatchNorm2d(outgoing))
        layers.append(nn.Sequential(*block, nn.ReLU(), nn.MaxPool2d(2)))
        incoming = outgoing
    layers.append(nn.Flatten())
    if dropout:
        layers.append(nn.Dropout(dropout))
    encoder = nn.Sequential(*layers)
    encoder.num_features = incoming * (image_size // SMALLEST) ** 2
    return encoder


def _checked(options: Mapping[str, object]) -> tuple[float, bool]:
    dropout, batch_norm = options.get("dropout", 0.0), options.get("batch_norm", False)
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise UsageError(f"model ft_multicnn: dropout is {dropout!r}; expected 0 to below 1")
    if not isinstance(batch_norm, bool):
        raise UsageError(f"model ft_multicnn: batch_norm is {batch_norm!r}; expected true or false")
    return float(dropout), batch_norm


def preprocessing(options: Mapping[str, object]) -> Preprocessing:  # noqa: ARG001
    """Pixels in [0, 1], as the paper's `Normalize(255)` gives them."""
    return Preprocessing()


def target_layer(
    encoder: torch.nn.Module,
) -> tuple[torch.nn.Module, Callable[..., Any] | None]:
    """The last convolution block before its pooling (its ReLU)."""
    blocks = cast("torch.nn.Sequential", encoder)
    return cast("torch.nn.Sequential", blocks[len(CHANNELS) - 1])[-2], None


def layers(encoder: torch.nn.Module, coarse: bool) -> list[list[str]]:  # noqa: ARG001
    """The three blocks; there is nothing finer."""
    names = [name for name, _ in encoder.named_parameters()]
    return [
        [name for name in names if name.startswith(f"{index}.")] for index in range(len(CHANNELS))
    ]


ENTRY = ModelEntry(
    version=1,
    build=build,
    preprocessing=preprocessing,
    target_layer=target_layer,
    layers=layers,
    options={"dropout": 0.0, "batch_norm": False},
)
