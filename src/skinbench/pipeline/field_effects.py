"""What metadata moves, in the rows that a suite explains and that read metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from skinbench import registry
from skinbench.errors import SkinbenchError, UsageError
from skinbench.pipeline.explained_rows import rows_to_explain
from skinbench.pipeline.prepared import Options, Prepared
from skinbench.records import STAGE_VERSIONS, Cell, FitRecord, Row
from skinbench.score.field_effects import Effects, empty_effects, write_effects
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, content_digest
from skinbench.store.parquet import read_parquet_table

_FILE = "effects.parquet"
_VERSION = 1


def measure_fields(
    prepared: Prepared,
    records: Mapping[str, FitRecord],
    folder: RunFolder,
    options: Options,
) -> None:
    """Write the effects of the first seed's test images; no file where no row has any."""
    explained = prepared.suite.file.explain
    rows = [] if explained is None else rows_to_explain(prepared, records, explained.rows)
    frames: list[pd.DataFrame] = []
    problems: dict[str, str] = {}
    for row in rows:
        cells = [cell for cell in prepared.first_seed(row) if _reads_metadata(prepared, cell)]
        try:
            frames += [_of_cell(prepared, row, cell, folder, options) for cell in cells]
        except SkinbenchError as error:  # a report without these bars is better than none
            problems[row.name] = str(error)
    if not frames and not problems:
        folder.field_effects.unlink(missing_ok=True)
        return
    whole = pd.concat(frames, ignore_index=True) if frames else empty_effects().table
    # Of an image that several folds judged, the first fold's stands, as in the gallery.
    kept = whole.drop_duplicates(["row", "dataset", "image_id", "field"])
    write_effects(folder.field_effects, Effects(table=kept, problems=problems))


def _reads_metadata(prepared: Prepared, cell: Cell) -> bool:
    name = prepared.plan.fits[str(cell.fit)].input.name
    return registry.inputs.get(name).uses_metadata


def _of_cell(
    prepared: Prepared, row: Row, cell: Cell, folder: RunFolder, options: Options
) -> pd.DataFrame:
    frame = read_predictions(folder.prediction(cell.name)).frame
    plain = frame[frame["condition"] == "none"]
    test, val = plain[plain["split"] == "test"], plain[plain["split"] == "val"]
    if val.empty:
        raise UsageError("no val images, so no metadata is typical")
    home = str(val["dataset"].iloc[0])
    typical = (home, tuple(val.loc[val["dataset"] == home, "image_id"]))
    parts = []
    for dataset, images in test.groupby("dataset", sort=True):
        ids = tuple(images["image_id"])
        effects = _stored(prepared, str(cell.fit), str(dataset), ids, typical, options)
        beside = images[["image_id", "group_id", "weight"]]
        joined = effects.merge(beside, on="image_id", how="left", validate="many_to_one")
        parts.append(joined.assign(row=row.name, dataset=str(dataset)))
    return pd.concat(parts, ignore_index=True) if parts else empty_effects().table


def _stored(
    prepared: Prepared,
    fit: str,
    dataset: str,
    ids: tuple[str, ...],
    typical: tuple[str, tuple[str, ...]],
    options: Options,
) -> pd.DataFrame:
    """Effects of one fit on one dataset's images; what the store has is not repeated."""
    store = options.store
    digests = [prepared.manifests[name].digest for name in (dataset, typical[0])]
    versions = [_VERSION, STAGE_VERSIONS["inference"]]
    name = content_digest(["fields", versions, fit, digests, list(ids), list(typical[1])])
    if not store.has("predictions", name):
        from skinbench.learn.field_effects import field_effects

        made = field_effects(
            fit,
            digests[0],
            ids,
            (digests[1], typical[1]),
            store,
            weights=prepared.planned.weights,
        )

        def write(place: Path) -> None:
            made.to_parquet(place / _FILE, index=False)

        store.publish("predictions", name, write)
    found: pd.DataFrame = read_parquet_table(store.open("predictions", name) / _FILE).to_pandas()
    return found
