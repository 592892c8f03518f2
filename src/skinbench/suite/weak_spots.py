"""`weak_spots:` of a suite file: where rows are looked at for failures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from skinbench.suite.strict import Strict, listed

SliceName = Literal[
    "sex", "age", "site", "site_general", "source", "dx_type", "fitzpatrick", "lesion_size"
]
"""As records.scoring.SLICES."""


DEFAULT_SLICES: tuple[SliceName, ...] = (
    "sex",
    "age",
    "site_general",
    "lesion_size",
    "source",
    "dx_type",
    "fitzpatrick",
)


class WeakSpots(Strict):
    """Subgroups, errors that models share, views of a lesion, images of elsewhere."""

    slices: Annotated[list[SliceName], BeforeValidator(listed)] = Field(
        default_factory=lambda: list(DEFAULT_SLICES),
        description="subgroups that are scored apart, with their gap to the other images",
    )
    metrics: Annotated[list[str], BeforeValidator(listed)] = Field(
        default_factory=list,
        description="of subgroups: `metric`, or `metric:class`; default: recall and specificity "
        "of mel (else of the first malignant class), or balanced accuracy",
    )
    floor: int = Field(30, ge=10, description="lesion groups below which a subgroup has no score")
    hardest: int = Field(20, ge=0, le=1000, description="images listed of each test set")
