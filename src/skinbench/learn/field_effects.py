"""What each field of the metadata does to a network's decision: Shapley's values by captum.

A field is known or not; where it is not, its columns are those of a typical image, the mean of
val. A field's value is the mean change of the decided class's probability when it becomes known,
over all orders of the fields (Shapley 1953; Strumbelj and Kononenko 2010). They add up to the
probability minus that with typical metadata.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from skinbench.data.metadata import MetadataEncoder
from skinbench.errors import MissingExtraError, UsageError
from skinbench.learn.arrays import Sources
from skinbench.learn.batches import to_unit
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import LoadedFit, Weights, load_fit
from skinbench.store import Store

EXACT = 6
"""Fields up to which every order is tried: 720 of them; beyond, as many are drawn."""
BATCH = 64


def field_effects(
    fit_id: str,
    dataset: str,
    image_ids: Sequence[str],
    typical: tuple[str, Sequence[str]],
    store: Store,
    *,
    weights: Weights,
) -> pd.DataFrame:
    """Shapley's value of every metadata field for each image's decided class.

    Args:
        fit_id: a fit with a network that reads metadata.
        dataset: manifest digest of the images.
        image_ids: images to explain.
        typical: manifest digest and ids of the val images whose mean is the typical image.
        store: holds fit, manifests and pixels.
        weights: weights files by their sha256, for frozen encoders.

    Returns:
        A line for each image and field: image_id, field, effect (float64, in [-1, 1]), `p` of the
        decided class, and `p_typical` with every field typical.

    Raises:
        UsageError: the fit's network reads no metadata, or there is no val image.
        MissingExtraError: captum is not installed.
    """
    fit = load_fit(fit_id, store, weights)
    if fit.network is None or fit.encoder is None:
        raise UsageError(
            f"fit {fit_id} ({fit.spec.model.name}): has no network that reads metadata"
        )
    if not len(typical[1]):
        raise UsageError(f"fit {fit_id}: no val images, so no metadata is typical")
    sources = Sources(store)
    encoder = fit.encoder
    mean = _encoded(sources, encoder, *typical).mean(axis=0)
    with torch_session(fit.spec.train) as device:
        network = fit.network.eval().to(device)
        base = torch.tensor(mean[None], dtype=torch.float32, device=device)
        frames = []
        for start in range(0, len(image_ids), BATCH):
            ids = image_ids[start : start + BATCH]
            own = torch.tensor(_encoded(sources, encoder, dataset, ids), device=device)
            features = _features(fit, sources, dataset, ids, device)
            found = shapley(network.head, features, own, base, columns(encoder))
            frames.append(_frame(ids, encoder.fields, *found))
    empty = pd.DataFrame(columns=["image_id", "field", "effect", "p", "p_typical"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def columns(encoder: MetadataEncoder) -> list[int]:
    """The field of each column of the encoded metadata, as its place among the fields."""
    return [
        next(
            place
            for place, field in enumerate(encoder.fields)
            if name == field or name.startswith(f"{field}=")
        )
        for name in encoder.names
    ]


def _encoded(
    sources: Sources, encoder: MetadataEncoder, dataset: str, image_ids: Sequence[str]
) -> np.ndarray:
    table = sources.manifest(dataset).table
    rows = sources.rows(dataset, np.array(image_ids, dtype=object))
    return encoder.transform(table.iloc[rows])


def _features(
    fit: LoadedFit,
    sources: Sources,
    dataset: str,
    image_ids: Sequence[str],
    device: torch.device,
) -> torch.Tensor | None:
    """What the head is given of the images [B, F]; it does not change with the metadata."""
    assert fit.network is not None
    if fit.network.encoder is None:
        return None
    images = sources.seen(dataset, fit.spec.train.image_size, fit.spec.pixels).images
    rows = sources.rows(dataset, np.array(image_ids, dtype=object))
    with torch.no_grad():
        batch = fit.network.normalise(to_unit(np.take(images, rows, axis=0), device))
        return fit.network.features(batch)


def shapley(
    head: nn.Module,
    features: torch.Tensor | None,
    metadata: torch.Tensor,
    typical: torch.Tensor,
    fields: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shapley's values of groups of columns for the class that the head decides.

    Args:
        head: (features [B, F] or None, metadata [B, M]) -> logits [B, C].
        features: of the images; None where the head reads none.
        metadata: [B, M] as the images have it.
        typical: [1, M].
        fields: [M] group of each column, 0 to K - 1.

    Returns:
        Effects [B, K], probability of the decided class [B], and that with typical metadata [B].

    Raises:
        MissingExtraError: captum is not installed.
    """
    try:
        from captum.attr import ShapleyValues, ShapleyValueSampling
    except ImportError as error:
        raise MissingExtraError("metadata attribution", "run") from error

    def probabilities(values: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
        return torch.softmax(head(seen, values.float()).double(), dim=1)

    count = max(fields, default=-1) + 1
    with torch.no_grad():
        own = probabilities(metadata, features)
        decided = own.argmax(dim=1)
        about = {"target": decided, "baselines": typical, "additional_forward_args": (features,),
                 "feature_mask": torch.tensor([fields])}  # fmt: skip
        if count <= EXACT:
            found = ShapleyValues(probabilities).attribute(metadata.double(), **about)
        else:
            torch.manual_seed(0)
            found = ShapleyValueSampling(probabilities).attribute(
                metadata.double(), n_samples=720, **about
            )
        before = probabilities(typical.expand_as(metadata), features)
    # captum gives every column its group's value.
    first = [list(fields).index(place) if place in fields else -1 for place in range(count)]
    effects = found[:, first].cpu().numpy()
    pick = decided[:, None]
    return (
        effects,
        own.gather(1, pick)[:, 0].numpy(force=True),
        before.gather(1, pick)[:, 0].numpy(force=True),
    )


def _frame(
    ids: Sequence[str],
    fields: Sequence[str],
    effects: np.ndarray,
    p: np.ndarray,
    typical: np.ndarray,
) -> pd.DataFrame:
    count = effects.shape[1]
    return pd.DataFrame(
        {
            "image_id": np.repeat(np.array(ids, dtype=object), count),
            "field": np.tile(np.array(fields[:count], dtype=object), len(ids)),
            "effect": effects.reshape(-1),
            "p": np.repeat(p, count),
            "p_typical": np.repeat(typical, count),
        }
    )
