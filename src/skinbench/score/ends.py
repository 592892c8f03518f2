"""Ends of an interval of a difference, printed so that one sees what they lie beside."""

from __future__ import annotations

from collections.abc import Sequence

MOST_DIGITS = 6
_ROUNDING = 1e-12


def end(
    value: float, lines: Sequence[float] = (0.0,), *, digits: int = 3, sign: bool = False
) -> str:
    """A bound with the decimals that it takes to see on which side of every line it is.

    0.0003 beside 0 is `0.0003`, not `0.000`: what is called separable is then seen to be.

    Args:
        value: the bound.
        lines: values that something follows from, e.g. 0 and minus the margin.
        digits: decimals where they are enough; up to `MOST_DIGITS` where they are not.
        sign: put a + before what is not negative.
    """
    for places in range(digits, MOST_DIGITS + 1):
        text = f"{value:.{places}f}"
        if all(_side(float(text), line) == _side(value, line) for line in lines):
            break
    else:
        text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return f"+{text}" if sign and not text.startswith("-") else text


def _side(value: float, line: float) -> int:
    away = value - line
    return 0 if abs(away) <= _ROUNDING else (1 if away > 0 else -1)
