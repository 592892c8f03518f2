"""Whether the exported files are the fit: every test image, decision and score of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skinbench.bundle.images import read_image, squares
from skinbench.bundle.model import BundleModel
from skinbench.errors import DataError, PredictionsError, UsageError, counted
from skinbench.pipeline.exporting.evidence import Evidence
from skinbench.pipeline.exporting.stored import Stored
from skinbench.records import Parity
from skinbench.records.operating import OperatingPoint
from skinbench.score.predictions import Predictions, check_frame

TOLERANCE = 1e-4
"""Largest difference of a probability."""
SCORES = 1e-3
"""Largest difference of a score: what ranks and bins make of such probabilities."""
FILES = 48
"""Test images whose files are decoded anew, to see that they give the stored pixels."""
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The exported model's own predictions, and what stands between them and the fit's."""

    predictions: Predictions
    """The fit's table with the exported model's probabilities for the test images."""
    images: int
    difference: float


def predict_test(
    model: BundleModel, stored: Stored, expected: Predictions, advance: Advance
) -> Compared:
    """Probabilities of every unaltered test image, held against the fit's.

    Raises:
        UsageError: one differs by more than TOLERANCE, or an argmax decision is another.
    """
    frame = expected.frame.copy()
    columns = [f"p_{code}" for code in expected.classes]
    test = ((frame["split"] == "test") & (frame["condition"] == "none")).to_numpy()
    worst = 0.0
    for dataset in sorted(set(frame.loc[test, "dataset"])):
        here = test & (frame["dataset"] == dataset).to_numpy()
        ids = frame.loc[here, "image_id"].tolist()
        made = stored.answer(model, dataset, ids, advance).probabilities
        fits = frame.loc[here, columns].to_numpy(np.float64)
        worst = max(worst, _check(made.astype(np.float64), fits, ids, expected.classes))
        frame.loc[here, columns] = made
    if not test.any():
        raise PredictionsError("the cell has no test predictions to compare the export with")
    checked = check_frame(frame, expected.classes, "the exported model")
    return Compared(
        predictions=replace(checked, metadata=expected.metadata),
        images=int(test.sum()),
        difference=worst,
    )


def _check(
    made: npt.NDArray[np.float64],
    fits: npt.NDArray[np.float64],
    ids: Sequence[str],
    classes: Sequence[str],
) -> float:
    apart = np.abs(made - fits)
    if not np.isfinite(apart).all() or apart.max() > TOLERANCE:
        row, column = np.unravel_index(np.nanargmax(np.nan_to_num(apart, nan=9.0)), apart.shape)
        raise UsageError(
            f"the exported model is not the fit: image {ids[int(row)]} has "
            f"p_{classes[int(column)]} {made[row, column]:.6f} instead of "
            f"{fits[row, column]:.6f} (at most {TOLERANCE:g} is allowed; "
            f"{counted(int((apart.max(axis=1) > TOLERANCE).sum()), 'image')} so); "
            f"nothing was written"
        )
    changed = np.flatnonzero(made.argmax(axis=1) != fits.argmax(axis=1))
    if changed.size:
        raise UsageError(
            f"the exported model decides otherwise than the fit on "
            f"{counted(int(changed.size), 'test image')}, {ids[int(changed[0])]} first; nothing "
            f"was written"
        )
    return float(apart.max())


def conclude(
    fit: Evidence, exported: Evidence, expected: Predictions, compared: Compared, checked: int
) -> Parity:
    """Decisions at operating points and all scores, held against the fit's.

    Raises:
        UsageError: one is another.
    """
    decisions = compared.images
    for point in fit.points:
        decisions += _same_at(point, expected, compared)
    worst = 0.0
    for ours, theirs in zip(exported.scores, fit.scores, strict=True):
        if (ours.value is None) != (theirs.value is None):
            raise UsageError(
                f"the exported model's {ours.metric} is not the fit's; nothing was written"
            )
        if ours.value is None or theirs.value is None:
            continue
        apart = abs(ours.value - theirs.value)
        worst = max(worst, apart)
        if apart > SCORES * max(1.0, abs(theirs.value)):
            raise UsageError(
                f"the exported model's {ours.metric} is {ours.value:.6f}, the fit's "
                f"{theirs.value:.6f}; nothing was written"
            )
    import onnxruntime

    return Parity(
        images=compared.images,
        largest_difference=compared.difference,
        tolerance=TOLERANCE,
        decisions=decisions,
        scores=len(fit.scores),
        largest_score_difference=worst,
        pixels_checked=checked,
        runtime=f"onnxruntime {onnxruntime.__version__}",
    )


def _same_at(point: OperatingPoint, expected: Predictions, compared: Compared) -> int:
    threshold = next((t.value for t in point.thresholds if t.value is not None), None)
    if threshold is None:
        return 0
    column = f"p_{point.class_}"
    frames = [item.frame for item in (expected, compared.predictions)]
    tests = [f[(f["split"] == "test") & (f["condition"] == "none")] for f in frames]
    left, right = (test[column].to_numpy(np.float64) >= threshold for test in tests)
    if (left != right).any():
        image = tests[0]["image_id"].iloc[int(np.argmax(left != right))]
        raise UsageError(
            f"the exported model decides otherwise than the fit at {point.class_}, "
            f"{point.policy}: {counted(int((left != right).sum()), 'test image')}, {image} first; "
            f"nothing was written"
        )
    return len(left)


def check_pixels(model: BundleModel, stored: Stored, expected: Predictions) -> int:
    """Decode test images by the bundle's own code; how many gave exactly the stored pixels.

    Images whose files are not on this machine are not checked.

    Raises:
        DataError: a file gives other pixels.
    """
    frame = expected.frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    checked = 0
    for dataset, part in test.groupby("dataset", sort=True):
        name = str(dataset)
        ids = part["image_id"].tolist()
        ids = ids[:: max(1, -(-len(ids) // FILES))]
        manifest = stored.manifests[name]
        for image_id, row in zip(ids, stored.rows(name, ids), strict=True):
            path = manifest.root / manifest.table["path"].iloc[row]
            if not path.is_file() or not model.sizes:
                continue
            made = squares(read_image(path.read_bytes()).image, model.sizes)
            for size in model.sizes:
                if not np.array_equal(made[size], stored.pixels(name, size).images[row]):
                    raise DataError(
                        f"{path}: gives other pixels than image {image_id} had in training at "
                        f"{size} px; nothing was written"
                    )
            checked += 1
    return checked
