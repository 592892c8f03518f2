"""Records of heatmaps that are judged by what they do, not by how they look."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLS = ("centre", "random")
"""Maps that know nothing, judged beside every explainer: a blob in the middle, smooth noise."""

HEAT_MEASURES = {
    "inside": "share of the heat inside the lesion",
    "pointing": "share of images whose hottest pixel is inside the lesion",
    "deletion": "mean probability of the decided class while its hottest pixels are removed first",
    "insertion": "mean probability of the decided class while its hottest pixels are shown first",
    "flip": "correlation with the heat of the mirrored image, mirrored back",
    "randomised": "correlation with the heat of the same network with shuffled weights",
    "corners": "share of the heat in the corners, outside the circle that touches the sides",
    "dark": "share of the heat on nearly black pixels, such as a dermatoscope's rim",
    "on_corners": "share of images flagged for heat in the corners",
    "on_vignette": "share of images flagged for heat on a dark rim",
    "on_lines": "share of images flagged for heat on thin dark lines: hairs, ruler marks",
}
"""Measure of one heatmap -> what it is; correlations in [-1, 1], all else in [0, 1]."""
HEAT_SHARES = ("pointing", "on_corners", "on_vignette", "on_lines")
"""Measures that are shares of images."""


@dataclass(frozen=True, kw_only=True)
class HeatScore:
    """One measure of an explainer on a row's test images: a mean over images."""

    row: str
    method: str
    """Name in the registry `explainers`, or one of CONTROLS."""
    measure: str
    """A key of HEAT_MEASURES, or `lesion`: the lesion's share of the frame."""
    dataset: str
    value: float | None
    """None where it could be taken of no image; `reason` then says why."""
    low: float | None = None
    high: float | None = None
    """Bounds at the scorecard's level, by lesion group."""
    n: int
    """Images it was taken of."""
    n_groups: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FieldEffect:
    """How far one field of the metadata moves the probability of the class that a row decides.

    Shapley's value of the field, against the mean of the row's val images: over all orders in
    which fields become known, the mean change when this one does.
    """

    row: str
    dataset: str
    field: str
    """As in the input's `fields`, e.g. `age`, `site`, `age.missing`."""
    value: float | None
    """Mean over test images of the change's size, in [0, 1]."""
    low: float | None = None
    high: float | None = None
    """Bounds at the scorecard's level, by lesion group."""
    mean: float | None = None
    """Mean of the change with its sign: above 0 the field speaks for what is decided."""
    n: int
    n_groups: int = 0
    reason: str = ""
