"""`ranking:` of a suite file: what the rows of a table are held against."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from skinbench.suite.strict import Strict, listed

BEST_ON_VAL = "best on val"
BEST = "best"


class Ranking(Strict):
    """Which rows of a table are separable, corrected over the table; and ranks."""

    reference: str = Field(
        BEST_ON_VAL,
        description="`best on val`, `best` (each row against the best of the others, nothing is "
        "chosen), or a row's name",
    )
    by: str = Field("balanced_accuracy", description="metric that the best row is chosen by on val")
    metrics: Annotated[list[str], BeforeValidator(listed)] = Field(
        default_factory=list,
        description="`metric`, or `metric:class`; default: the columns of the leaderboard",
    )
    over: Literal["datasets"] | None = Field(
        None,
        description="`datasets`: say why, where there are no mean ranks over five or more datasets",
    )

    @field_validator("over", mode="before")
    @classmethod
    def _no_seeds(cls, value: object) -> object:
        if value in ("seeds", "folds"):
            raise ValueError(
                f"ranks over {value} are refused: Friedman's test needs independent datasets, "
                f"five or more; {value} share their images"
            )
        return value
