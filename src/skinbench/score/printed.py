"""Published numbers as they are printed: what each can have been before it was rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from skinbench.errors import UsageError

Claim = Mapping[str, object]
"""A claim as a suite or a file of claims states it, see `skinbench.suite.settings.Claim`."""


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A number in print, and the closed range of numbers that round to it."""

    text: str
    low: Fraction
    high: Fraction

    @property
    def value(self) -> float:
        """The number itself."""
        return float(Fraction(self.text))


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """One claim, read."""

    metric: str
    class_: str | None
    dataset: str | None
    source: str
    value: Printed
    sd: Printed | None = None
    """What stands after a ±."""
    low: Printed | None = None
    high: Printed | None = None
    """The interval in print, where there is one."""
    n: int | None = None
    """Images that the number is over."""
    n_positive: int | None = None
    """Images of the class."""
    folds: int | None = None
    sd_means: str = "not stated"

    @property
    def about(self) -> tuple[str, str | None, str | None]:
        """What two claims share that speak of the same thing."""
        return (self.metric, self.class_, self.dataset)

    @property
    def in_print(self) -> str:
        """`0.80`, or `0.96 ± 0.25`."""
        return self.value.text + (f" ± {self.sd.text}" if self.sd else "")

    @property
    def support(self) -> int | None:
        """Images of the class, where the claim says so."""
        if self.n_positive is not None or self.class_ is None:
            return self.n_positive
        return self.n if self.metric == "recall" else None


def read_claim(claim: Claim) -> PublishedScore:
    """A claim with its numbers as printed ones.

    Raises:
        UsageError: a number is missing, or is none.
    """
    metric = str(claim.get("metric"))
    value = _printed(claim, "value")
    if value is None:
        raise UsageError(f"claim on {metric}: 'value' is missing")
    code = claim.get("class", claim.get("class_"))
    dataset = claim.get("dataset")
    return PublishedScore(
        metric=metric,
        class_=None if code is None else str(code),
        dataset=None if dataset is None else str(dataset),
        source=str(claim.get("source") or "not stated"),
        value=value,
        sd=_printed(claim, "sd"),
        low=_printed(claim, "low"),
        high=_printed(claim, "high"),
        n=_count(claim, "n"),
        n_positive=_count(claim, "n_positive"),
        folds=_count(claim, "folds"),
        sd_means=str(claim.get("sd_means") or "not stated"),
    )


def printed(text: str) -> Printed:
    """A number as text, with half a unit of its last digit to either side.

    Args:
        text: e.g. `0.80`, whose last digit is the second after the point.

    Raises:
        ValueError: it is no finite number.
    """
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"'{text}' is not a number") from error
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"'{text}' is not a finite number")
    half = Fraction(Decimal(5).scaleb(min(exponent, 0) - 1))
    middle = Fraction(number)
    return Printed(text=text, low=middle - half, high=middle + half)


def _printed(claim: Claim, key: str) -> Printed | None:
    given = claim.get(key)
    if given is None:
        return None
    try:
        return printed(str(given))
    except ValueError as error:
        message = f"claim on {claim.get('metric')}: '{key}' is {given!r}, expected a number"
        raise UsageError(message) from error


def _count(claim: Claim, key: str) -> int | None:
    given = claim.get(key)
    if given is None:
        return None
    try:
        return int(str(given))
    except ValueError as error:
        message = f"claim on {claim.get('metric')}: '{key}' is {given!r}, expected a whole number"
        raise UsageError(message) from error
