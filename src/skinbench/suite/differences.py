"""What a row does otherwise than the source whose numbers it is to reproduce."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from skinbench.suite.papers import Protocol
from skinbench.suite.settings import RowSettings
from skinbench.suite.split import Split

_FIXED_VIEWS = "dihedral"
"""The augmentation that stands for a fixed number of stored views."""


def differences(settings: RowSettings, split: Split, protocol: Protocol) -> tuple[str, ...]:
    """What a row does otherwise than its source says, a sentence each."""
    found = [
        *_split(split, protocol),
        *_weights(settings, protocol),
        *_augment(settings, protocol),
        *_settings(settings, protocol),
    ]
    return tuple(found)


def less_than(settings: RowSettings, protocol: Protocol) -> Iterator[str]:
    """What a row has less of than its source: its numbers are then not comparable."""
    if protocol.weights == "imagenet" and _starts_at_random(settings):
        yield "random first weights instead of pretrained ones"
    if settings.model is not None and settings.model.trained is not None:
        return  # not trained here, so there are no epochs, and its own image size
    for field in ("image_size", "epochs"):
        asked, own = getattr(protocol, field), getattr(settings, field)
        if asked is not None and own < asked:
            yield f"{field} {own} instead of {asked}"


def _starts_at_random(settings: RowSettings) -> bool:
    model = settings.model
    if model is None or model.trained is not None:
        return False
    return not model.pretrained and model.weights is None


def _split(split: Split, protocol: Protocol) -> Iterator[str]:
    if protocol.split is None:
        return
    here = "from another dataset" if split.train else f"by {split.group}"
    if protocol.split == "not stated":
        yield f"split {here}; the source does not say by what it split"
    elif split.train or split.group != protocol.split:
        yield f"split {here}; the source split by {protocol.split}"


def _weights(settings: RowSettings, protocol: Protocol) -> Iterator[str]:
    model = settings.model
    if protocol.weights != "imagenet" or model is None:
        return
    if model.weights is not None and model.weights.file is not None:
        yield f"first weights from {PurePath(model.weights.file).name}, not the source's own"
    elif _starts_at_random(settings):
        yield "random first weights: ImageNet's were not available"


def _augment(settings: RowSettings, protocol: Protocol) -> Iterator[str]:
    if protocol.augment != "on the fly":
        return
    names = {item.name for item in settings.augment} - {"none"}
    if _FIXED_VIEWS in names:
        yield "fixed views instead of augmentation on the fly"
    elif not names:
        yield "no augmentation; the source varied its training images on the fly"
    elif settings.model is not None and settings.model.frozen:
        yield "stored features: no image is varied on the fly"


def _settings(settings: RowSettings, protocol: Protocol) -> Iterator[str]:
    model = settings.model
    own = {
        "image size": (settings.image_size, protocol.image_size),
        "epochs": (settings.epochs, protocol.epochs),
        "batch size": (settings.batch_size, protocol.batch_size),
        "optimiser": (settings.optimizer.name, protocol.optimizer),
        "learning rate": (settings.optimizer.lr, protocol.lr),
    }
    for what, (here, there) in own.items():
        if there is not None and here != there:
            yield f"{what} {here} instead of {there}"
    if protocol.frozen is not None and model is not None and model.frozen != protocol.frozen:
        yield "backbone frozen" if model.frozen else "backbone trained too"
