"""`claims:` of a suite file: published numbers, as they are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from skinbench.suite.strict import Positive, Strict


def _as_printed(value: Any) -> Any:
    """Text of a number; `39 %` becomes 0.39, with as many digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is a number as printed, e.g. 0.80")
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        number = Decimal(text.removesuffix("%").strip())
    except InvalidOperation as error:
        raise ValueError(f"is a number as printed, e.g. 0.80, not '{text}'") from error
    if not number.is_finite():
        raise ValueError(f"is a finite number, not '{text}'")
    return str(number.scaleb(-2)) if percent else text


Printed = Annotated[
    str,
    BeforeValidator(_as_printed),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
"""A number with the digits that it is printed with: 0.80 is not 0.8."""


class Claim(Strict):
    """A published number that the row is to reproduce."""

    metric: str
    class_: str | None = Field(None, alias="class")
    value: Printed = Field(description="with the digits in print: 0.80 is not 0.8")
    n: Positive | None = Field(
        None, description="images that it is over; for recall those of the class"
    )
    n_positive: Positive | None = Field(None, description="images of the class")
    low: Printed | None = Field(None, description="lower end of its interval in print")
    high: Printed | None = None
    sd: Printed | None = Field(None, description="what stands after the ± in print")
    folds: Annotated[int, Field(ge=2)] | None = Field(
        None, description="how many scores the ± is over, where stated"
    )
    sd_means: str | None = Field(None, description="what ± means, in the source's own words")
    dataset: str | None = Field(None, description="key under `data:`, where there are several")
    source: str = Field(description="table, figure or place in the text")

    @field_validator("sd")
    @classmethod
    def _not_negative(cls, sd: str | None) -> str | None:
        if sd is not None and Decimal(sd) < 0:
            raise ValueError(f"a standard deviation is not negative, as {sd} is")
        return sd


ReportLine = Annotated[list[Printed | None], Field(min_length=4, max_length=4)]
_TOTALS = ("accuracy", "macro", "weighted")


class ClaimReport(Strict):
    """A classification report as scikit-learn prints it: a line of four numbers for each class.

    Keys are class codes, and `accuracy` (one number), `macro` and `weighted`.
    """

    source: str
    dataset: str | None = None
    report: dict[str, ReportLine | Printed] = Field(
        min_length=1, description="line to [precision, recall, f1, images]; `accuracy` to one"
    )

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        for name, line in self.report.items():
            if isinstance(line, list) == (name == "accuracy"):
                shape = "one number" if name == "accuracy" else "[precision, recall, f1, images]"
                raise ValueError(f"`report`: '{name}' needs {shape}")
            if isinstance(line, list) and (line[3] is None or not line[3].isdigit()):
                raise ValueError(f"`report`: the last number of '{name}' is its images, e.g. 223")
        return self

    def claims(self) -> Iterator[Claim]:
        """Every number as a claim of its own."""
        where: dict[str, Any] = {"source": self.source, "dataset": self.dataset}
        images = sum(self.images(name) for name in self.report if name not in _TOTALS)
        for name, line in self.report.items():
            if not isinstance(line, list):
                yield Claim(metric="accuracy", value=line, n=images or None, **where)
                continue
            metrics, about = self._columns(name)
            for metric, value in zip(metrics, line[:3], strict=True):
                if value is not None:
                    yield Claim(metric=metric, value=value, **{**where, **about})

    def images(self, name: str) -> int:
        """Images of a line."""
        line = self.report[name]
        return int(str(line[3])) if isinstance(line, list) else 0

    def _columns(self, name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Metrics of a line's columns; the weighted mean of recalls is the accuracy."""
        source, n = f"{self.source}, {name} avg", self.images(name)
        if name == "macro":
            metrics = ("macro_precision", "balanced_accuracy", "macro_f1")
            return metrics, {"source": source, "n": n}
        if name == "weighted":
            metrics = ("weighted_precision", "accuracy", "weighted_f1")
            return metrics, {"source": source, "n": n}
        return ("precision", "recall", "f1"), {"class_": name, "n_positive": n}


def _kind(value: Any) -> str:
    report = isinstance(value, ClaimReport) or (isinstance(value, dict) and "report" in value)
    return "as report" if report else "as claim"


ClaimItem = Annotated[
    Annotated[Claim, Tag("as claim")] | Annotated[ClaimReport, Tag("as report")],
    Discriminator(_kind),
]


def each_claim(items: Sequence[Claim | ClaimReport]) -> Iterator[tuple[int, Claim]]:
    """Every claim, with the index of the item in the file that it comes from."""
    for index, item in enumerate(items):
        if isinstance(item, Claim):
            yield index, item
        else:
            yield from ((index, claim) for claim in item.claims())


class ClaimTolerances(Strict):
    """How near a measured number must be to a claimed one to be called reproduced."""

    tolerance: float = Field(0.03, gt=0, lt=1, description="metrics over all classes, and AUROC")
    class_tolerance: float = Field(0.05, gt=0, lt=1, description="metrics of one class")
