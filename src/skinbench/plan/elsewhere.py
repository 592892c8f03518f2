"""Models trained elsewhere: their label space, their files, and what a reader must know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from skinbench.data.pixels import pixel_digest
from skinbench.data.taxonomy import label_space
from skinbench.records import (
    Cell,
    Evaluation,
    FitSpec,
    LabelSpace,
    Manifest,
    ModelEntry,
    Node,
)
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


def stored_size(trained: Trained) -> int:
    """Side in pixels of the square that images become, before any crop."""
    return trained.size if trained.crop is None else round(trained.size / trained.crop)


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


def with_judged_pixels(
    nodes: Sequence[Node],
    fits: Mapping[str, FitSpec],
    cells: Sequence[Cell],
    evaluations: Sequence[Evaluation],
    manifests: Mapping[str, Manifest],
) -> tuple[Node, ...]:
    """The nodes of a plan with the pixels that models trained elsewhere are judged on.

    Their fits read no dataset, so that only their evaluations tell which.
    """
    by_name = {cell.name: cell for cell in cells}
    wanted: dict[str, list[str]] = {}
    for item in evaluations:
        fit = by_name[item.cell].fit
        if fit is not None and fits[fit].model.trained is not None:
            size = fits[fit].train.image_size
            name = f"pixels:{pixel_digest(manifests[item.dataset].digest, size)}"
            wanted.setdefault(f"predict:{item.cell}", []).append(name)
    known = {node.name for node in nodes}
    added = dict.fromkeys(name for names in wanted.values() for name in names)
    pixels = [Node(name=name, kind="pixels") for name in added if name not in known]
    return (
        *pixels,
        *(
            dataclasses.replace(
                node, needs=(*node.needs, *dict.fromkeys(wanted.get(node.name, ())))
            )
            for node in nodes
        ),
    )


def elsewhere_note(trained: Trained, digest: str) -> str:
    """What a reader of such a row's numbers must know."""
    return (
        f"trained elsewhere and scored as it is: {Path(trained.file).name} (sha256 "
        f"{digest[:12]}); what it was trained on is not known here, so that it may have seen "
        f"test images"
    )
