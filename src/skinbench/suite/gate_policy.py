"""`gate_policy:` of a suite: how the gate's checks are judged together, and how models decide."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from skinbench.suite.strict import Strict


class Decision(Strict):
    """A class and what fixes its threshold, on each model's own val."""

    class_: str = Field(alias="class")
    policy: Literal["sensitivity", "specificity", "youden"] = "sensitivity"
    value: float | None = Field(
        None, gt=0, le=1, description="the sensitivity or specificity to keep on val"
    )

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        if (self.policy == "youden") != (self.value is None):
            takes = "takes no value" if self.policy == "youden" else "needs a value, e.g. 0.9"
            raise ValueError(f"decision: policy {self.policy} {takes}")
        return self


class GatePolicy(Strict):
    """What holds for all checks of the gate."""

    on_inconclusive: Literal["fail", "warn"] = Field(
        "fail", description="`warn` exits with 0 where the data cannot tell; never where missing"
    )
    decision: Decision | None = Field(
        None, description="how a model decides; default: the argmax of its probabilities"
    )
