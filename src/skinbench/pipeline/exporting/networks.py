"""A chain's networks as files of the bundle, and the steps that join them."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skinbench import registry
from skinbench.pipeline.exporting.chain import Chain, Link
from skinbench.records import BundleNetwork, BundleStep, DerivedCell, Plan
from skinbench.score.derive import learn_from_val
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, Store, brought, is_url


def weights_files(plan: Plan, chain: Chain, store: Store) -> dict[str, Path]:
    """Files that frozen encoders are filled from, found by their content.

    They are where the suite names them, or in SKINBENCH_WEIGHTS.
    """
    wanted = {
        link.spec.model.weights.digest
        for link in chain.links
        if link.spec.model.weights.kind in ("file", "fit") and link.spec.model.frozen
    }
    if not wanted:
        return {}
    named = []
    for row in plan.rows:
        model = row.settings.get("model")
        weights = model.get("weights") if isinstance(model, Mapping) else None
        if isinstance(weights, Mapping) and weights.get("file"):
            named.append(Path(str(weights["file"])))
    folder = os.environ.get("SKINBENCH_WEIGHTS")
    if folder:
        there = brought(folder) if is_url(folder) else Path(folder).expanduser()
        named += sorted(there.glob("*.safetensors"))
    files = [path for path in dict.fromkeys(named) if path.is_file()]
    return {store.digest_of(path): path for path in files}


def write_network(link: Link, fit: Any, place: int, root: Path) -> BundleNetwork:
    """Write a fit as ONNX and safetensors.

    Args:
        link: the fit's place in the chain.
        fit: loaded.
        place: its number, which names the files.
        root: folder of the bundle.
    """
    from skinbench.learn.onnx_graph import export_network

    spec, name = link.spec, f"network-{place}"
    files = f"{name}.onnx", f"{name}.safetensors"
    made = export_network(fit, root / files[0], root / files[1])
    gc.collect()  # the exporter's graphs refer to each other: gigabytes for four large networks
    reads_image = fit.network.encoder is not None
    size = spec.train.image_size if reads_image else None
    return BundleNetwork(
        name=link.cell.name,
        fit=link.fit,
        file=files[0],
        tensors=files[1],
        classes=spec.classes,
        image_size=size,
        seen=_seen(fit, spec.train.image_size),
        views=link.views,
        metadata=None if fit.encoder is None else fit.encoder.to_plain(),
        codes=link.codes,
        features=made.features,
        maps=made.maps,
        no_maps=made.no_maps,
    )


def _seen(fit: Any, size: int) -> tuple[int, int]:
    """The square of an image that a network sees: where a map of ones lies when put back."""
    import torch

    geometry = fit.network.geometry
    if geometry is None or not hasattr(geometry, "restore"):
        return 0, size
    inside = geometry.restore(torch.ones(1, 4, 4), size)[0].amax(dim=0) > 0
    places = torch.nonzero(inside)[:, 0]
    return int(places[0]), len(places)


def bundle_step(item: DerivedCell, folder: RunFolder) -> BundleStep:
    """A derived cell with what val taught it, as the run fitted it."""
    entry = registry.derived.get(item.kind)
    learnt, words = None, ""
    if entry.learn is not None:
        members = [read_predictions(folder.prediction(name)) for name in item.members]
        found = learn_from_val(members, kind=item.kind, options=item.options, names=item.members)
        learnt, words = _plain(found.learnt), found.words
    return BundleStep(
        name=item.cell.name,
        kind=item.kind,
        version=entry.version,
        of=item.members,
        options={**entry.options, **item.options},
        learnt=learnt,
        words=words,
    )


def _plain(value: Any) -> Any:
    """Tuples, lists and arrays of numbers as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
