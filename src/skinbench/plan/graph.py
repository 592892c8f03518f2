"""The graph of a plan: what each fit, prediction and derived cell needs, and what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from skinbench import registry
from skinbench.data.lesion_masks import mask_digest
from skinbench.data.made_pixels import seen_digest, sizes_read
from skinbench.data.pixels import pixel_digest
from skinbench.records import Cell, DerivedCell, FitSpec, ModelSpec, Node, SplitTable
from skinbench.store import canonical_json, content_digest


def make_nodes(
    fits: Mapping[str, FitSpec],
    cells: Sequence[Cell],
    derived: Sequence[DerivedCell],
    splits: Mapping[str, SplitTable],
) -> list[Node]:
    """Pixels, features, fits, predictions and derived cells, every need before its user."""
    nodes: dict[str, Node] = {}
    images = {split.digest: len(split.table) // split.folds for split in splits.values()}
    for name, spec in fits.items():
        if spec.model.trained is not None:
            nodes[f"fit:{name}"] = Node(name=f"fit:{name}", kind="trained")
            continue
        needs = [f"fit:{spec.pixels.fit}"] if spec.pixels is not None else []
        for digest in spec.datasets.values():
            pixels = _pixels(nodes, spec, digest)
            needs.append(pixels)
            if spec.masks:
                masks = f"masks:{mask_digest(digest, spec.masks[digest], spec.train.image_size)}"
                nodes.setdefault(masks, Node(name=masks, kind="masks"))
                needs.append(masks)
            if spec.stored_features:
                named = content_digest(
                    [_encoder(spec), pixels, spec.train.threads, spec.train.device]
                )
                features = f"features:{named}"
                nodes.setdefault(features, Node(name=features, kind="features", needs=(pixels,)))
                needs.append(features)
        if spec.model.weights.kind == "fit":
            needs.append(f"fit:{spec.model.weights.digest}")
        weight = cost(spec, images[spec.split])
        nodes[f"fit:{name}"] = Node(
            name=f"fit:{name}", kind="fit", needs=tuple(needs), weight=weight
        )
    for cell in cells:
        name = f"predict:{cell.name}"
        nodes[name] = Node(name=name, kind="predict", needs=(f"fit:{cell.fit}",))
    made = {cell.name for cell in cells}
    for item in derived:
        needs = [f"{'predict' if m in made else 'derive'}:{m}" for m in item.members]
        name = f"derive:{item.cell.name}"
        nodes[name] = Node(name=name, kind="derive", needs=tuple(needs))
    return list(nodes.values())


def _pixels(nodes: dict[str, Node], spec: FitSpec, dataset: str) -> str:
    """The node of what a fit sees of a dataset, added with what it is made of."""
    originals = [f"pixels:{pixel_digest(dataset, size)}" for size in sizes_read(spec)]
    for name in originals:
        nodes.setdefault(name, Node(name=name, kind="pixels"))
    if spec.pixels is None:
        return originals[0]
    seen = f"pixels:{seen_digest(spec.pixels, dataset, spec.train.image_size)}"
    needs = (*originals, f"fit:{spec.pixels.fit}")
    nodes.setdefault(seen, Node(name=seen, kind="pixels", needs=needs))
    return seen


def _encoder(spec: FitSpec) -> ModelSpec:
    """The part of a model that stored features come from."""
    return dataclasses.replace(spec.model, head=None)


def cost(spec: FitSpec, images: int) -> float:
    """Relative cost of a fit, for starting heavy ones first: image passes at 128 px."""
    if registry.models.get(spec.model.name).kind == "plain":
        return images * 1e-4
    if spec.stored_features or not registry.inputs.get(spec.input.name).uses_image:
        return images * spec.train.epochs * 1e-3
    return images * spec.train.epochs * (spec.train.image_size / 128) ** 2


def spec_key(spec: FitSpec) -> str:
    """What fits must share to be packed into one trial: data, pixels, features, resources."""
    model = _encoder(spec) if spec.stored_features else None
    return canonical_json(
        [spec.datasets, spec.train.image_size, model, spec.train.threads, spec.train.device]
    )
