"""Heatmaps of the chosen rows judged on test images, explainer by explainer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skinbench import registry
from skinbench.data.lesion_masks import MaskDigests, build_masks
from skinbench.errors import SkinbenchError, counted
from skinbench.pipeline.explained_rows import rows_to_explain
from skinbench.pipeline.prepared import Clock, Options, Prepared
from skinbench.records import STAGE_VERSIONS, Cell, FitRecord, Manifest, Row
from skinbench.records.explaining import CONTROLS
from skinbench.score.explanations import HeatMeasures, write_heat
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, content_digest
from skinbench.store.parquet import read_parquet_table

_FILE = "heat.parquet"
_VERSION = 2


def judge_heatmaps(
    prepared: Prepared,
    records: Mapping[str, FitRecord],
    folder: RunFolder,
    options: Options,
    clock: Clock,
) -> str:
    """Measure what `explain: quality:` asks for; write one table for the run.

    Returns:
        A few words for the stage's line.
    """
    explained = prepared.suite.file.explain
    if explained is None or explained.quality is None:
        folder.explanations.unlink(missing_ok=True)
        return "not asked for"
    rows = rows_to_explain(prepared, records, explained.rows)
    methods = [*dict.fromkeys(explained.quality.methods), *CONTROLS]
    frames: list[pd.DataFrame] = []
    problems: dict[str, dict[str, str]] = {}
    masks = MaskDigests(options.store.digests_of)
    for row in rows:
        images = _images(prepared, row, folder)
        sample = stratified(images, explained.quality.images)
        parts = [
            _Part(
                fit=str(fit),
                manifest=prepared.manifests[str(dataset)],
                images=part,
                sample=sample & set(part["image_id"]),
                masks=_masks(prepared, str(fit), str(dataset), masks, options, clock),
            )
            for (fit, dataset), part in images.groupby(["fit", "dataset"], sort=True)
        ]
        for method in methods:
            try:
                found = [_measured(part, method, prepared, options, clock) for part in parts]
            except SkinbenchError as error:
                problems.setdefault(row.name, {})[method] = str(error)
            else:
                frames += [table.assign(row=row.name) for table in found]
    empty = pd.DataFrame(columns=["row", "dataset", "method", "image_id"])
    table = pd.concat(frames, ignore_index=True) if frames else empty
    write_heat(folder.explanations, HeatMeasures(table=table, problems=problems))
    return f"{counted(len(methods) - len(CONTROLS), 'explainer')} of {counted(len(rows), 'row')}"


def stratified(images: pd.DataFrame, size: int) -> frozenset[str]:
    """About `size` image ids, each class in its share and with one at least.

    Args:
        images: image_id and label; unlabelled images are a class of their own.
        size: images wanted; all where there are no more.
    """
    known = images.drop_duplicates("image_id")
    if len(known) <= size:
        return frozenset(known["image_id"])
    chosen: list[str] = []
    for _, part in known.groupby(known["label"].fillna(""), sort=True):
        wanted = max(1, round(size * len(part) / len(known)))
        chosen += sorted(part["image_id"], key=_by_chance)[:wanted]
    return frozenset(chosen)


def _by_chance(image_id: str) -> str:
    """An order that has nothing to do with the ids' own, and is the same everywhere."""
    return hashlib.sha256(f"heat {image_id}".encode()).hexdigest()


def _images(prepared: Prepared, row: Row, folder: RunFolder) -> pd.DataFrame:
    """Test images of a row's first seed, each with the fit that judged it."""
    parts = [_tested(cell, folder) for cell in prepared.first_seed(row)]
    return pd.concat(parts, ignore_index=True).drop_duplicates(["dataset", "image_id"])


def _tested(cell: Cell, folder: RunFolder) -> pd.DataFrame:
    frame = read_predictions(folder.prediction(cell.name)).frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    kept = test[["dataset", "image_id", "group_id", "label", "weight"]]
    return kept.assign(fit=str(cell.fit))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Test images of one dataset that one fit judged; the same for every explainer."""

    fit: str
    manifest: Manifest
    images: pd.DataFrame
    sample: frozenset[str]
    masks: str | None
    """Digest of the dataset's mask files."""


def _measured(
    part: _Part, method: str, prepared: Prepared, options: Options, clock: Clock
) -> pd.DataFrame:
    """Measures of one explainer on a part; what the store has is not repeated."""
    store, digest = options.store, part.manifest.digest
    ids = tuple(sorted(part.images["image_id"]))
    entry = 0 if method in CONTROLS else registry.explainers.get(method).version
    source = None if method in CONTROLS else registry.explainers.source_digest(method)
    versions = [_VERSION, STAGE_VERSIONS["inference"], entry, source]
    name = content_digest(
        ["heat", versions, part.fit, digest, part.masks, method, list(ids), sorted(part.sample)]
    )
    if not store.has("predictions", name):
        from skinbench.learn.heat_quality import HeatRequest, judge_heat

        request = HeatRequest(
            fit_id=part.fit,
            dataset=digest,
            image_ids=ids,
            sample=part.sample,
            methods=(method,),
            masks=part.masks,
        )
        made = judge_heat(request, store, weights=prepared.planned.weights, progress=clock.progress)

        def write(place: Path) -> None:
            made.to_parquet(place / _FILE, index=False)

        store.publish("predictions", name, write)
    table: pd.DataFrame = read_parquet_table(store.open("predictions", name) / _FILE).to_pandas()
    beside = part.images[["dataset", "image_id", "group_id", "weight"]]
    return table.merge(beside, on="image_id", how="left", validate="many_to_one")


def _masks(
    prepared: Prepared,
    fit: str,
    dataset: str,
    digests: MaskDigests,
    options: Options,
    clock: Clock,
) -> str | None:
    """Digest of a dataset's mask files, decoded for a fit's image size; None where it has none."""
    manifest = prepared.manifests[dataset]
    if not manifest.table["mask_path"].notna().any():
        return None
    digest = digests.of([manifest])[manifest.digest]
    size = prepared.plan.fits[fit].train.image_size
    build_masks(
        manifest, digest, size, options.store, workers=options.workers or 1, progress=clock.progress
    )
    return digest
