"""Records of ISIC's own scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skinbench.records.scoring import Scorecard


@dataclass(frozen=True, kw_only=True)
class OfficialScores:
    """What the ISIC challenge's scorer (isic-challenge-scoring 5.6.0) gives for two files.

    Its JSON without the ROC curves, which it thins out for drawing.
    """

    images: int
    """Test images of the two files; the program itself knows no splits."""
    target_metric: str
    """`balanced_accuracy` (2018, 2019), `auc` or `ap`: what `overall` is."""
    overall: float | None
    validation: float | None
    """The same under `validation_weight`."""
    per_category: Mapping[str, Mapping[str, float | None]]
    """Metric to class to value. None where the program stops with an error instead."""
    macro_average: Mapping[str, float | None]
    """Metric to the plain mean over classes."""
    aggregate: Mapping[str, float | None]
    undefined: Mapping[str, tuple[str, ...]]
    """Metric to the classes for which a ratio over nothing counts as 1.0 there; skinbench says
    that it is undefined."""
    notes: tuple[str, ...] = ()
    """Rules of the program that mattered for these files, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class ForeignScores:
    """What `skinbench score` says of predictions that skinbench did not make."""

    predictions: str
    manifest: str
    """Paths as given."""
    images: int
    """Test images."""
    groups: int
    """Lesion groups of them."""
    group: str
    """What was resampled as one: lesion, patient or image."""
    val_images: int
    scorecard: Scorecard
    official: OfficialScores | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a sentence each."""
