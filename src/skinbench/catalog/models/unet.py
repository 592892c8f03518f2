"""U-Net (Ronneberger 2015) that finds the lesion; its encoder is any of segmentation-models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from skinbench.errors import MissingExtraError, UsageError
from skinbench.records.entries import ModelEntry, Preprocessing
from skinbench.registry import suggest

if TYPE_CHECKING:
    import torch

STEP = 32
"""Five halvings of the image."""


def check_size(image_size: int) -> None:
    """Raise UsageError for a size that cannot be halved five times."""
    if image_size % STEP:
        near = max(STEP, round(image_size / STEP) * STEP)
        raise UsageError(
            f"model unet: image_size {image_size} is no multiple of {STEP}; use {near}, "
            f"whatever the rows have that see its regions"
        )


def build(
    options: Mapping[str, object],
    weights_path: Path | None,
    pretrained: bool,
    image_size: int,
) -> torch.nn.Module:
    """[B, 3, S, S] -> logits [B, 1, S, S] that a pixel is lesion.

    Args:
        options: `encoder`, a name of segmentation-models-pytorch (`resnet18`, `mobilenet_v2`,
            `efficientnet-b0`) or `tu-` and a timm name.
        weights_path: has to be None.
        pretrained: the encoder begins with ImageNet weights from the hub.
        image_size: S, a multiple of 32.

    Raises:
        UsageError: no such encoder, a size that cannot be halved five times, or a weights file.
        MissingExtraError: segmentation-models-pytorch is not installed.
    """
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise MissingExtraError("a U-Net", "run") from error

    encoder = str(options["encoder"])
    if weights_path is not None:
        raise UsageError("model unet: takes no weights file; leave `weights` out")
    check_size(image_size)
    try:
        network = smp.Unet(
            encoder_name=encoder,
            encoder_weights="imagenet" if pretrained else None,
            in_channels=3,
            classes=1,
        )
    except KeyError as error:
        hint = suggest(encoder, smp.encoders.get_encoder_names(), limit=3)
        raise UsageError(
            f"model unet: no encoder '{encoder}'; {hint} (or tu- and a timm name)"
        ) from error
    except Exception as error:  # of many kinds: names, options, hub, files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"model unet: encoder '{encoder}': {lines[0][:200]}") from error
    network.num_features = 1
    return cast("torch.nn.Module", network)


def preprocessing(options: Mapping[str, object]) -> Preprocessing:  # noqa: ARG001
    """ImageNet's mean and standard deviation, with and without its weights."""
    return Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


ENTRY = ModelEntry(
    version=1,
    task="segmentation",
    build=build,
    check_size=check_size,
    preprocessing=preprocessing,
    options={"encoder": "resnet18", "flips": True},
    has_weights=True,
)
