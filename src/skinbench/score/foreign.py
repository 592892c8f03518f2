"""Predictions that skinbench did not make, ready to be scored and gated like its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from skinbench.data.manifest import manifest_digest
from skinbench.data.tables import frame_digest, shaped
from skinbench.data.taxonomy import code_of
from skinbench.errors import DataError, PredictionsError, UsageError, counted, one_line
from skinbench.records import (
    MANIFEST_SCHEMA,
    CellOutcome,
    DatasetInfo,
    LabelSpace,
    Manifest,
    Row,
    predictions_schema,
)
from skinbench.records.malignancy import MALIGNANT_CODES
from skinbench.score.doubts import doubts
from skinbench.score.foreign_tables import (
    ID_COLUMNS,
    LABEL_COLUMNS,
    WEIGHT_COLUMNS,
    read_known,
    read_predicted,
)
from skinbench.score.predictions import KEY, SUM_TOLERANCE, Predictions
from skinbench.score.slices import slice_values

Group = Literal["lesion", "patient", "image"]
_NO_SUBGROUPS = frozenset(
    {*ID_COLUMNS, *LABEL_COLUMNS, *WEIGHT_COLUMNS, "target", "lesion_id", "patient_id", "group_id",
     "split", "row"}
)  # fmt: skip
MOST_LEVELS = 100
"""Values of a column that may be subgroups; sites, devices and hospitals have fewer."""
FEW_LEVELS = 10
"""Up to so many values a column is one of subgroups, however few images there are."""
_SORT = ["dataset", "split", "condition", "fold", "image_id"]


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """One model's predictions and what a table says of their images."""

    name: str
    """Stem of the predictions file: the row's name."""
    predictions: Predictions
    """In the shape of records.predictions_schema; probabilities are float64, as in the file, and
    may not sum to 1, see `sums_to_one`."""
    classes: tuple[str, ...]
    manifest: Manifest
    """Of the predicted images; without paths, digests and sizes."""
    slices: Mapping[str, Mapping[str, str]]
    """Slice name to image id to value."""
    row: Row
    cell: CellOutcome
    split_digest: str
    """Over image ids, splits, folds, groups, labels and weights: equal where two predictions can
    be paired."""
    sums_to_one: bool
    """Every row is a distribution. Where not, decisions and ranks stand, and what needs
    probabilities (log loss, Brier, calibration) does not."""
    has_val: bool
    """There are val rows to choose thresholds and temperatures on."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a sentence each."""


def read_foreign(
    predictions: Path,
    manifest: Path,
    *,
    group: Group = "lesion",
    slices: Sequence[str] = (),
) -> Foreign:
    """Read predictions and the table of their images, and check one against the other.

    Every image of the table must be predicted and every predicted one be in the table, so that
    no test image is left out unsaid; where the table has a column `split`, its train rows need
    not be predicted, and are left out where they are. Without val rows, what val chooses is None.

    Args:
        predictions: Parquet or CSV, see foreign_tables.read_predicted.
        manifest: CSV or Parquet with image ids and labels; optional lesion_id, patient_id,
            group_id, split, weight, age, sex, site, source, dx_type.
        group: what is resampled as one. `lesion`: the lesion, where none is named the patient,
            else the image; `patient`: the patient, else the lesion, else the image.
        slices: further columns of the manifest to take as subgroups.

    Raises:
        PredictionsError: the predictions break their format, or miss or add images.
        DataError: the manifest breaks its format.
        UsageError: a slice that is no column.
    """
    frame, classes = read_predicted(predictions)
    known, table = read_known(manifest, classes)
    name, dataset = predictions.stem, manifest.stem
    table = table.assign(image_id=known["image_id"], label=known["label"])
    notes: list[str] = []
    if group == "patient" and "patient_id" not in table:
        raise UsageError(f"{manifest} has no column patient_id to resample patients by")
    groups = _groups(table, frame, group, notes)
    joined = _joined(predictions, manifest, frame, table, notes)
    place = pd.Index(known["image_id"]).get_indexer(pd.Index(joined["image_id"]))
    joined["group_id"] = groups.to_numpy()[place]
    joined["label"] = known["label"].to_numpy(dtype=object)[place]
    source = predictions
    if "weight" not in joined:
        source, joined["weight"] = manifest, known["weight"].to_numpy()[place]
    _check_weights(source, joined, notes)
    joined["dataset"] = dataset
    joined = _in_shape(predictions, joined, classes)
    columns = [f"p_{code}" for code in classes]
    off = np.abs(joined[columns].to_numpy().sum(axis=1) - 1) > SUM_TOLERANCE
    _note_values(joined, columns, off, notes)
    notes += doubts(table, joined)
    made = _manifest(dataset, table, groups, classes)
    facts = joined[["image_id", "split", "fold", "condition", "group_id", "label", "weight"]]
    has_val = bool((joined["split"] == "val").any())
    if not has_val:
        notes.append("no val rows: what is chosen on val (thresholds, calibration) is not there")
    return Foreign(
        name=name,
        predictions=Predictions(frame=joined, classes=classes),
        classes=classes,
        manifest=made,
        slices={**slice_values([made]), **_further(table, slices, manifest, classes)},
        row=_row(name, dataset, classes),
        cell=CellOutcome(cell=f"{name}@0.0", row=name, fold=0, seed=0, fit=None, status="done"),
        split_digest=frame_digest(facts.sort_values(["split", "condition", "fold", "image_id"])),
        sums_to_one=not off.any(),
        has_val=has_val,
        notes=tuple(notes),
    )


def _row(name: str, dataset: str, classes: tuple[str, ...]) -> Row:
    return Row(
        name=name,
        kind="fit",
        model="given predictions",
        input="",
        technique="",
        split=dataset,
        label_space="given",
        classes=classes,
    )


def _groups(table: pd.DataFrame, frame: pd.DataFrame, group: Group, notes: list[str]) -> pd.Series:
    """What is resampled as one, for each image of the table; text."""
    ids = table["image_id"].astype(object)
    order = {"lesion": ["lesion_id", "patient_id"], "patient": ["patient_id", "lesion_id"]}
    columns = [name for name in order.get(group, []) if name in table]
    if group == "lesion" and "group_id" in table:
        columns = ["group_id"]
    if not columns and group != "image" and "group_id" in frame:
        given = frame.drop_duplicates("image_id").set_index("image_id")["group_id"]
        return ids.map(given).fillna(ids).astype(str)
    found = pd.Series([None] * len(ids), index=ids.index, dtype=object)
    for name in columns:
        found = found.where(found.notna(), table[name].astype(object))
    alone = int(found.isna().sum())
    if alone and group != "image":
        what = "its lesion" if columns else "lesions"
        notes.append(
            f"{counted(alone, 'image')} of {len(ids):,} without {what}: each counts as a lesion of "
            f"its own, and intervals are too narrow where they share one"
        )
    return found.where(found.notna(), ids).astype(str)


def _joined(
    path: Path, manifest: Path, frame: pd.DataFrame, table: pd.DataFrame, notes: list[str]
) -> pd.DataFrame:
    """Predictions of the images to be scored, each with its split."""
    unknown = ~frame["image_id"].isin(table["image_id"])
    if unknown.any():
        first = one_line(frame["image_id"][unknown].iloc[0])
        raise PredictionsError(
            f"{path}: image {first} is not in {manifest} "
            f"({counted(int(unknown.sum()), 'image')} so); give its label, or leave it out"
        )
    stated = _splits(table, manifest)
    splits = frame["split"] if "split" in frame else frame["image_id"].map(stated)
    wanted = stated[stated != "train"].index if "split" not in frame else frame["image_id"]
    if "split" not in table and "split" not in frame:
        wanted = stated.index
    missing = pd.Index(wanted).difference(pd.Index(frame["image_id"]))
    if len(missing):
        advice = "predict every image, or give the table a column `split` (train, val, test)"
        if "split" in table:
            advice = "predict every val and test image, or leave it out of the table"
        raise PredictionsError(
            f"{path}: image {one_line(missing[0])} of {manifest} is not predicted "
            f"({counted(len(missing), 'image')} so); {advice}"
        )
    left = len(stated) - frame["image_id"].nunique()
    if left:
        notes.append(f"{counted(left, 'image')} of {manifest.name} not predicted: no test images")
    train = (splits == "train").to_numpy()
    if train.any():
        notes.append(f"predictions of {counted(int(train.sum()), 'train image')} left out")
    kept = frame[~train].reset_index(drop=True)
    kept["split"] = splits[~train].to_numpy(dtype=object)
    if not (kept["split"] == "test").any():
        raise PredictionsError(f"{path}: has no test image; nothing can be scored")
    return kept


def _splits(table: pd.DataFrame, manifest: Path) -> pd.Series:
    """Image id to split; `test` where the table does not say."""
    if "split" not in table:
        return pd.Series("test", index=pd.Index(table["image_id"]), dtype=object)
    found = pd.Series(table["split"].to_numpy(dtype=object), index=pd.Index(table["image_id"]))
    odd = ~found.isin(["train", "val", "test"])
    if odd.any():
        raise DataError(
            f"{manifest}: image {one_line(found.index[odd][0])}: split is "
            f"{one_line(str(found[odd].iloc[0]))}; expected train, val or test"
        )
    return found


def _in_shape(path: Path, frame: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Columns, order and uniqueness as records.predictions_schema wants them."""
    for name, value in (("fold", 0), ("condition", "none")):
        if name not in frame:
            frame[name] = value
    frame["fold"] = frame["fold"].astype(np.int32)
    names = predictions_schema(classes).names
    ordered: pd.DataFrame = frame[names].sort_values(_SORT, kind="stable", ignore_index=True)
    twice = ordered.duplicated(list(KEY))
    if twice.any():
        raise PredictionsError(
            f"{path}: image {one_line(ordered['image_id'][twice].iloc[0])} is predicted twice "
            f"({counted(int(twice.sum()), 'row')} so); expected each image once"
        )
    return ordered


def _check_weights(source: Path, frame: pd.DataFrame, notes: list[str]) -> None:
    weights, test = frame["weight"].to_numpy(np.float64), (frame["split"] == "test").to_numpy()
    low = weights < 0
    if low.any():
        row = int(np.argmax(low))
        raise DataError(
            f"{source}: image {one_line(frame['image_id'].iloc[row])}: weight {weights[row]:g} is "
            f"below 0 ({counted(int(low.sum()), 'row')} so); expected 0 or more"
        )
    nothing = test & (weights == 0)
    if nothing.sum() == test.sum():
        raise DataError(f"{source}: every test image has weight 0; nothing can be scored")
    if nothing.any():
        notes.append(f"{counted(int(nothing.sum()), 'test row')} of weight 0 left out")


def _note_values(
    frame: pd.DataFrame, columns: list[str], off: np.ndarray, notes: list[str]
) -> None:
    values = frame[columns].to_numpy()
    if off.any():
        row = int(np.argmax(off))
        notes.append(
            f"{counted(int(off.sum()), 'row')} do not sum to 1 (image "
            f"{one_line(frame['image_id'].iloc[row])}: {values[row].sum():.4g}): no log loss, "
            f"Brier score or calibration"
        )
    tied = int(((values == values.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    if tied:
        notes.append(
            f"{counted(tied, 'image')} with a tied maximum, decided for the first of the classes"
        )


def _further(
    table: pd.DataFrame, slices: Sequence[str], manifest: Path, classes: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Columns that a user names as subgroups."""
    found = {}
    for name in slices:
        if name in _NO_SUBGROUPS or (name in table and code_of(name) in classes):
            raise UsageError(
                f"'{name}' tells no subgroup of images apart: it is an id, the truth, a split or a "
                f"weight; name a column such as sex, site or device"
            )
        if name not in table:
            raise UsageError(f"{manifest} has no column '{name}' to take as a slice")
        known = table[name].notna()
        _refuse_ids(table.loc[known, name], name, manifest)
        ids, values = table.loc[known, "image_id"], table.loc[known, name]
        found[name] = {str(i): str(value) for i, value in zip(ids, values, strict=True)}
    return found


def _refuse_ids(values: pd.Series, name: str, manifest: Path) -> None:
    """A column under whatever name whose values name images or lesions rather than kinds."""
    levels, images = int(values.nunique()), len(values)
    if levels > MOST_LEVELS or (levels > FEW_LEVELS and 2 * levels > images):
        raise UsageError(
            f"column '{name}' of {manifest} has {levels:,} values for {counted(images, 'image')}: "
            f"it looks like ids or a measurement, and is no slice; name one with at most "
            f"{MOST_LEVELS} values, or put its values into bands"
        )


def _manifest(
    name: str, table: pd.DataFrame, groups: pd.Series, classes: tuple[str, ...]
) -> Manifest:
    """The table as a manifest; further columns are attributes."""
    known = {field.name for field in MANIFEST_SCHEMA}
    frame = pd.DataFrame({"image_id": table["image_id"], "group_id": groups})
    for field in MANIFEST_SCHEMA:
        if field.name in table and field.name not in frame:
            frame[field.name] = table[field.name]
    if "age" not in frame and "age_approx" in table:
        frame["age"] = table["age_approx"]
    frame["age"] = pd.to_numeric(frame["age"], errors="coerce") if "age" in frame else np.nan
    for column in ("path", "file_digest", "pixel_digest"):
        frame[column] = ""
    for column in ("width", "height"):
        frame[column] = 0
    others = [n for n in table.columns if n not in known and n not in ("split", "row")]
    if others and "attributes" not in frame:
        frame["attributes"] = [
            json.dumps({str(k): str(v) for k, v in zip(others, line, strict=True) if v == v and v})
            for line in table[others].itertuples(index=False)
        ]
    made = shaped(frame.sort_values("image_id", ignore_index=True), MANIFEST_SCHEMA)
    space = LabelSpace(
        name="given",
        classes=classes,
        malignant=tuple(code for code in classes if code in MALIGNANT_CODES),
    )
    return Manifest(
        name=name,
        adapter="given",
        root=Path(),
        info=DatasetInfo(title=name, licence="", citation="", homepage=""),
        label_space=space,
        table=made,
        findings=(),
        digest=manifest_digest(space, made),
    )
