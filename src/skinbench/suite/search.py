"""`search:` of a row: which settings are tried, how many times, and what is chosen by."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from skinbench.suite.strict import Positive, Strict

Bounds = Annotated[tuple[float, float], Field(strict=False)]  # YAML has lists only
Whole = Annotated[tuple[int, int], Field(strict=False)]


class Range(Strict):
    """Numbers between two bounds; the upper bound of `int` is included."""

    log: Bounds | None = Field(None, description="log-uniform: each decade alike")
    uniform: Bounds | None = None
    int_: Whole | None = Field(None, alias="int")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [bounds for bounds in (self.log, self.uniform, self.int_) if bounds is not None]
        if len(given) != 1:
            raise ValueError("needs one of `log`, `uniform` and `int`, e.g. {log: [1e-5, 1e-2]}")
        if not given[0][0] < given[0][1]:
            raise ValueError(f"the first bound must be below the second, not {list(given[0])}")
        if self.log is not None and self.log[0] <= 0:
            raise ValueError("`log` needs bounds above 0")
        return self

    @property
    def ends(self) -> tuple[float | int, float | int]:
        """The two bounds."""
        found = self.log or self.uniform or self.int_
        assert found is not None
        return found


def _form(value: Any) -> str:
    return "list" if isinstance(value, list) else "range"


Values = Annotated[
    Annotated[list[Any], Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_form)
]


class Asha(Strict):
    """Stop trials that are behind (Li et al. 2020): at `grace` epochs and each `factor` times."""

    grace: Positive = 1
    factor: Annotated[int, Field(ge=2)] = 3


class Search(Strict):
    """Settings chosen among trials by val alone, within each fold."""

    space: dict[str, Values] = Field(
        min_length=1,
        description="a setting such as `optimizer.lr` to a list of values, {log: [a, b]}, "
        "{uniform: [a, b]} or {int: [a, b]}",
    )
    trials: Positive | None = Field(None, description="of random and optuna; default 20")
    sampler: Literal["random", "grid", "optuna"] = "random"
    monitor: Literal["val_log_loss", "val_accuracy", "val_balanced_accuracy"] = Field(
        "val_log_loss", description="of the kept epoch of each trial; the best one is chosen"
    )
    asha: Asha | None = None
    seed: int = Field(0, ge=0)
    concurrent: Positive | None = Field(
        None, description="trials at a time; 1 for optuna and asha, else as many as fit"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for key, values in self.space.items():
            if isinstance(values, list) and len(values) < 2:
                raise ValueError(f"`space.{key}` needs two values or more to choose among")
        if self.sampler != "grid":
            return self
        if self.trials is not None:
            raise ValueError("`sampler: grid` tries every combination: leave `trials` out")
        ranged = [key for key, values in self.space.items() if isinstance(values, Range)]
        if ranged:
            raise ValueError(f"`sampler: grid` needs lists; `space.{ranged[0]}` is a range")
        return self

    @property
    def budget(self) -> int:
        """Trials in all."""
        if self.sampler == "grid":
            return math.prod(len(v) for v in self.space.values() if isinstance(v, list))
        return self.trials or 20

    @property
    def at_once(self) -> int | None:
        """Trials at a time; None for as many as fit.

        Optuna and ASHA go by what earlier trials gave: one at a time, a search repeats exactly.
        """
        ordered = self.sampler == "optuna" or self.asha is not None
        return self.concurrent or (1 if ordered else None)
