"""Models trained elsewhere: their label space, their files, and what a reader must know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from skinbench.data.taxonomy import label_space
from skinbench.records import LabelSpace, Manifest, ModelEntry
from skinbench.suite import Suite
from skinbench.suite.settings import Trained

TENSOR_FILES = (".safetensors", ".pth", ".pt", ".bin")


def own_space(trained: Trained) -> LabelSpace:
    """The classes of a model's outputs, in their order.

    A list is of class codes, or of words that become codes; it need not be a named space.

    Raises:
        UsageError: fewer than two classes, one of them twice, or an unknown space.
    """
    space = label_space(trained.labels)
    return space if isinstance(trained.labels, str) else dataclasses.replace(space, name="its own")


def learnt_space(
    suite: Suite, manifests: Mapping[str, Manifest], split: str, row: str = ""
) -> LabelSpace:
    """The label space of what a row's fits give: that of its split's train, or its own.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`.
        split: key under `splits:`.
        row: a row of the suite; "" for a baseline.

    Raises:
        UsageError: the labels of a model trained elsewhere are none.
    """
    for item in suite.rows:
        model = item.settings.model
        if item.name == row and model is not None and model.trained is not None:
            return own_space(model.trained)
    file = suite.file.splits[split]
    return manifests[str(file.train or file.data)].label_space


def suffixes(entry: ModelEntry) -> tuple[str, ...]:
    """How the names of the files end that a model can be taken from."""
    return (".onnx",) if entry.kind == "file" else TENSOR_FILES


def packages_of(entry: ModelEntry) -> tuple[str, ...]:
    """Packages whose version is part of a fit's identity."""
    if entry.task == "segmentation":
        return ("torch", "timm", "segmentation-models-pytorch")
    return {"network": ("torch", "timm"), "plain": ("scikit-learn",), "file": ("onnxruntime",)}[
        entry.kind
    ]


def elsewhere_note(trained: Trained, digest: str) -> str:
    """What a reader of such a row's numbers must know."""
    return (
        f"trained elsewhere and scored as it is: {Path(trained.file).name} (sha256 "
        f"{digest[:12]}); what it was trained on is not known here, so that it may have seen "
        f"test images"
    )
