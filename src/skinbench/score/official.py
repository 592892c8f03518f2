"""The official ISIC scorer's numbers, its traps included (isic-challenge-scoring 5.6.0).

Its rules, read in its source (Apache-2.0): a class is decided where its own probability is above
0.5, not where it is the largest; balanced accuracy goes by the largest, and a tied maximum is
undecided, which is wrong; a ratio over no image is 1.0; `auc_sens_80` is the raw area above
sensitivity 0.8 down to the axis; the image ISIC_0035068 weighs nothing. It sorts the rows of both
files by image but not the weights, so that in a truth file that is not sorted most scores take
the weights of other images; that is repeated here, and said. A class that the truth lacks stops
the program; here its ranking scores are None.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.catalog.datasets._tables import read_table
from skinbench.data.taxonomy import code_of
from skinbench.errors import DataError, PredictionsError, counted
from skinbench.records.official import OfficialScores
from skinbench.score.foreign_tables import known_numbers, read_known, read_predicted

Target = Literal["balanced_accuracy", "auc", "ap"]
TARGETS: tuple[Target, ...] = ("balanced_accuracy", "auc", "ap")
UNWEIGHTED_IMAGE = "ISIC_0035068"
METRICS = (
    "accuracy", "sensitivity", "specificity", "dice", "ppv", "npv", "auc", "auc_sens_80", "ap",
)  # fmt: skip
SENSITIVITY = 0.8
_THRESHOLD = 0.5
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Both files, rows sorted by image."""

    classes: tuple[str, ...]
    truth: Bools
    """[N, C]."""
    scores: Floats
    """[N, C]."""
    order: npt.NDArray[np.intp]
    """Position in the truth file of each row."""
    weights: Mapping[str, Floats]
    """score_weight and validation_weight [N], in the order of the truth file."""

    def in_file(self, name: str) -> Floats:
        """The weights as the program pairs them: by position, in the order of the file."""
        return self.weights[name]

    def by_image(self, name: str) -> Floats:
        """The weights of the rows' own images."""
        return self.weights[name][self.order]


def official_scores(
    predictions: Path, truth: Path, *, target: Target = "balanced_accuracy"
) -> OfficialScores:
    """Score a submission as `isic-challenge-scoring classification TRUTH PREDICTIONS` does.

    Where one of the files has a column `split`, as of its test rows alone: the program knows no
    splits, and ISIC's own files have none.

    Raises:
        PredictionsError: images are predicted twice, missing or added, or a cell is broken.
        DataError: the truth is not as ISIC gives it.
    """
    files, notes = _read(predictions, truth)
    undefined: dict[str, list[str]] = {}
    rows = {
        code: _category(files, index, code, undefined) for index, code in enumerate(files.classes)
    }
    per_category = {metric: {code: rows[code][metric] for code in rows} for metric in METRICS}
    macro = {metric: _mean(values.values()) for metric, values in per_category.items()}
    balanced = _balanced_accuracy(files, "score_weight")
    notes += _rules(files, undefined)
    return OfficialScores(
        images=len(files.order),
        target_metric=target,
        overall=balanced if target == "balanced_accuracy" else macro[target],
        validation=_validation(files, target),
        per_category=per_category,
        macro_average=macro,
        aggregate={"balanced_accuracy": balanced},
        undefined={metric: tuple(codes) for metric, codes in undefined.items()},
        notes=tuple(notes),
    )


def _read(predictions: Path, truth: Path) -> tuple[_Files, list[str]]:
    frame, classes = read_predicted(predictions)
    known, table = read_known(truth, classes)
    scores = _as_parsed(predictions, frame, classes)
    ours_kept, theirs_kept, notes = _of_test(frame, known, table)
    frame, scores = frame[ours_kept].reset_index(drop=True), scores[ours_kept]
    known, table = (part[theirs_kept].reset_index(drop=True) for part in (known, table))
    if known["label"].isna().any():
        raise DataError(f"{truth}: an image has no label; ISIC's truth has one for each")
    if frame["image_id"].duplicated().any():
        raise PredictionsError(f"{predictions}: an image is predicted twice; the scorer refuses it")
    theirs, ours = set(known["image_id"]), set(frame["image_id"])
    if theirs != ours:
        odd = sorted(theirs ^ ours)
        raise PredictionsError(
            f"{predictions}: images differ from those of {truth} ({len(odd)} do, first {odd[0]}); "
            f"the scorer refuses missing and extra images"
        )
    order = np.argsort(known["image_id"].to_numpy().astype(str), kind="stable")
    ids = known["image_id"].to_numpy()[order]
    place = pd.Index(frame["image_id"]).get_indexer(pd.Index(ids))
    weights = {}
    for name in ("score_weight", "validation_weight"):
        values = known_numbers(table, name, truth) if name in table else np.ones(len(known))
        values = np.where(known["image_id"] == UNWEIGHTED_IMAGE, 0.0, values)
        weights[name] = values
    files = _Files(
        classes=classes,
        truth=known["label"].to_numpy()[order][:, None] == np.array(classes, dtype=object),
        scores=scores[place],
        order=order,
        weights=weights,
    )
    if (known["image_id"] == UNWEIGHTED_IMAGE).any():
        notes.append(f"{UNWEIGHTED_IMAGE} weighs nothing")
    if any((files.in_file(name) != files.by_image(name)).any() for name in weights):
        notes.append(
            f"{truth.name} is not sorted by image: the program takes weights of other images, "
            f"which is repeated here; sort it"
        )
    return files, notes


def _of_test(
    frame: pd.DataFrame, known: pd.DataFrame, table: pd.DataFrame
) -> tuple[Bools, Bools, list[str]]:
    """Rows of predictions and truth to score, and what is said of those left out."""
    ours, theirs = frame["image_id"], known["image_id"]
    if "split" in frame:
        kept = np.asarray(frame["split"] == "test")
        of_truth = np.asarray(theirs.isin(ours[kept]))
    elif "split" in table:
        of_truth = np.asarray(table["split"] == "test")
        kept = np.asarray(~ours.isin(theirs[~of_truth]))
    else:
        return np.ones(len(ours), dtype=bool), np.ones(len(theirs), dtype=bool), []
    left = int((~kept).sum())
    if not left:
        return kept, of_truth, []
    note = f"{counted(left, 'row')} of other splits than test left out: the program has no splits"
    return kept, of_truth, [note]


def _rules(files: _Files, undefined: Mapping[str, list[str]]) -> list[str]:
    """What the program's own rules did to these files."""
    notes = []
    ties = int((_highest(files.scores).sum(axis=1) > 1).sum())
    if ties:
        notes.append(f"{counted(ties, 'image')} with a tied maximum: undecided, which is wrong")
    if undefined:
        listed = (f"{metric} of {', '.join(codes)}" for metric, codes in undefined.items())
        notes.append(f"a ratio over no image counts as 1.0: {'; '.join(listed)}")
    absent = [code for index, code in enumerate(files.classes) if not files.truth[:, index].any()]
    if absent:
        notes.append(f"no image of {', '.join(absent)}: the program stops with an error here")
    return notes


def _highest(scores: Floats) -> Bools:
    return np.asarray(scores == scores.max(axis=1, keepdims=True))


def _as_parsed(path: Path, frame: pd.DataFrame, classes: tuple[str, ...]) -> Floats:
    """Scores as the program reads them from text, which makes or breaks ties now and then."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        return frame[[f"p_{code}" for code in classes]].to_numpy(np.float64)
    table = read_table(path)
    names = {code_of(name.removeprefix("p_")): name for name in table.columns}
    if "target" in names and "target" not in classes:
        return frame[[f"p_{code}" for code in classes]].to_numpy(np.float64)
    columns = [[parsed(text) for text in table[names[code]]] for code in classes]
    return np.array(columns, dtype=np.float64).T


def parsed(text: str) -> float:
    """A number as pandas before version 3 reads it, which the program needs.

    Up to 17 digits, a leading 0 among them, are gathered in double precision and divided by a
    power of ten: with 16 digits or more the last bit may be wrong (`precise_xstrtod`, pandas 2.3).
    """
    mantissa, _, power = text.strip().lower().partition("e")
    whole, _, decimals = mantissa.lstrip("+-").partition(".")
    short = not power and len(whole) + len(decimals) <= 15
    if short or len(whole) > 17 or not (whole + decimals).isdigit():
        return float(text)
    kept = decimals[: 17 - len(whole)]
    number = 0.0
    for digit in whole + kept:
        number = number * 10.0 + int(digit)
    exponent = int(power or 0) - len(kept)
    if abs(exponent) > 308:
        return float(text)
    scale = float(f"1e{abs(exponent)}")  # as written: powers above 10**22 are not exact
    number = number * scale if exponent > 0 else number / scale
    return -number if mantissa.startswith("-") else number


def _category(
    files: _Files, index: int, code: str, undefined: dict[str, list[str]]
) -> dict[str, float | None]:
    truth, scores = files.truth[:, index], files.scores[:, index]
    weights = files.in_file("score_weight")
    decided = scores > _THRESHOLD
    tp, fp = float(weights[truth & decided].sum()), float(weights[~truth & decided].sum())
    fn, tn = float(weights[truth & ~decided].sum()), float(weights[~truth & ~decided].sum())
    ratios = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "dice": (2 * tp, 2 * tp + fp + fn),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
    }
    found: dict[str, float | None] = {"accuracy": (tp + tn) / (tp + tn + fp + fn)}
    for metric, (part, whole) in ratios.items():
        if whole == 0:
            undefined.setdefault(metric, []).append(code)
        found[metric] = part / whole if whole else 1.0
    found["auc"] = _auc(truth, scores, weights)
    found["auc_sens_80"] = _auc_above(files, index)
    found["ap"] = _average_precision(truth, scores, weights)
    return found


def _both(truth: Bools) -> bool:
    return bool(truth.any() and not truth.all())


def _auc(truth: Bools, scores: Floats, weights: Floats) -> float | None:
    from sklearn.metrics import roc_auc_score

    if not _both(truth):
        return None
    return float(roc_auc_score(truth, scores, sample_weight=weights))


def _average_precision(truth: Bools, scores: Floats, weights: Floats) -> float | None:
    from sklearn.metrics import average_precision_score

    if not truth.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a sum of weights that is 0 at the highest scores
        return float(average_precision_score(truth, scores, sample_weight=weights))


def _auc_above(files: _Files, index: int) -> float | None:
    """Rows of weight 0 by their own image, weights by position, as the program does."""
    from sklearn.metrics import auc, roc_curve

    kept = files.by_image("score_weight") != 0
    weights = files.in_file("score_weight")
    weights = weights[weights != 0]
    truth, scores = files.truth[kept, index], files.scores[kept, index]
    if not _both(truth):
        return None
    fpr, tpr, _ = roc_curve(truth, scores, sample_weight=weights, drop_intermediate=False)
    first = int(tpr.searchsorted(SENSITIVITY, side="left"))
    start = np.interp(SENSITIVITY, tpr[first - 1 : first + 1], fpr[first - 1 : first + 1])
    return float(auc(np.insert(fpr[first:], 0, start), np.insert(tpr[first:], 0, SENSITIVITY)))


def _balanced_accuracy(files: _Files, name: str) -> float | None:
    """Hits by weights of position, images of a class by their own, as the program does."""
    highest = _highest(files.scores)
    decided = (highest.sum(axis=1) == 1)[:, None] & highest
    hits = np.where(decided & files.truth, files.in_file(name)[:, None], 0.0).sum(axis=0)
    totals = np.where(files.truth, files.by_image(name)[:, None], 0.0).sum(axis=0)
    return _mean([hit / all_ if all_ else None for hit, all_ in zip(hits, totals, strict=True)])


def _validation(files: _Files, target: Target) -> float | None:
    if target == "balanced_accuracy":
        return _balanced_accuracy(files, "validation_weight")
    score = _auc if target == "auc" else _average_precision
    weights = files.in_file("validation_weight")
    return _mean([score(t, s, weights) for t, s in zip(files.truth.T, files.scores.T, strict=True)])


def _mean(values: Any) -> float | None:
    """Of what is there, as pandas takes it."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None
