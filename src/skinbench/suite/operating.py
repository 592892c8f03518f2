"""`operating_points:` and `prevalence:` of a suite file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from skinbench.records.operating import PointRequest, Policy, PrevalenceRequest
from skinbench.suite.strict import Strict, listed

Share = Annotated[float, Field(gt=0, lt=1)]


class Cost(Strict):
    """What errors cost, in any unit."""

    miss: float = Field(gt=0, description="an image of the class that is not decided for it")
    false_alarm: float = Field(gt=0, description="an image of another class that is")


class OperatingPoint(Strict):
    """A threshold on one class's probability, chosen on val and applied to test."""

    rows: str = "*"
    class_: str = Field(alias="class")
    recall: float | None = Field(
        None, gt=0, le=1, description="the highest threshold with this recall on val"
    )
    youden: bool = Field(False, description="the largest recall + specificity on val")
    cost: Cost | None = Field(None, description="{miss: 20, false_alarm: 1}: the least cost on val")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.recall is not None, self.youden, self.cost is not None]
        if sum(given) != 1:
            raise ValueError("needs one of `recall: 0.95`, `youden: true` and `cost: {...}`")
        return self

    def request(self) -> PointRequest:
        """As a record."""
        if self.cost is not None:
            policy = Policy(kind="cost", miss=self.cost.miss, false_alarm=self.cost.false_alarm)
        elif self.youden:
            policy = Policy(kind="youden")
        else:
            policy = Policy(kind="recall", recall=self.recall)
        return PointRequest(rows=self.rows, class_=self.class_, policy=policy)


class Prevalence(Strict):
    """How common a class is among those to be examined, for predictive values and net benefit."""

    rows: str = "*"
    class_: str = Field(alias="class")
    at: Annotated[list[Share], BeforeValidator(listed)] = Field(
        min_length=1, description="shares of the class, e.g. [0.02, 0.1]"
    )
    risk: Share | None = Field(
        None, description="the risk from which on one would act; asks for net benefit"
    )

    def request(self) -> PrevalenceRequest:
        """As a record."""
        return PrevalenceRequest(
            rows=self.rows,
            class_=self.class_,
            at=tuple(self.at),
            threshold_probability=self.risk,
        )
