"""The one place that turns values into text. Nothing here knows HTML or Markdown."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from skinbench.errors import counted as counted
from skinbench.score.ends import end

MISSING = "\u2013"
"""Printed for a value that is undefined or absent; the reason stands beside it. Never 0."""

_TITLES = {
    "auroc": "AUROC",
    "macro_auroc": "macro AUROC",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "f1": "F1",
    "recall": "recall (sensitivity)",
    "brier": "Brier score",
    "brier_score": "Brier score",
    "log_loss": "log loss",
    "auc_sens_80": "AUC above recall 0.8",
    "pauc_80": "partial AUC above recall 0.8",
    "recall_at_specificity_90": "recall at specificity 0.90 (threshold from test)",
    "recall_at_specificity_95": "recall at specificity 0.95 (threshold from test)",
    "specificity_at_recall_90": "specificity at recall 0.90 (threshold from test)",
    "specificity_at_recall_95": "specificity at recall 0.95 (threshold from test)",
    "matthews": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "top_2_accuracy": "top-2 accuracy",
    "top_3_accuracy": "top-3 accuracy",
    "top_label_error": "top-label calibration error",
    "calibration_error": "calibration error (L2, debiased)",
}
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn"}


def metric_title(metric: str, class_: str | None = None) -> str:
    """A metric's name for a reader: `recall`, `mel` -> `mel recall (sensitivity)`."""
    title = _TITLES.get(metric, metric.replace("_", " "))
    return f"{class_} {title}" if class_ else title


def short_title(metric: str, class_: str | None = None) -> str:
    """The same without what stands in brackets: `mel recall`."""
    return metric_title(metric, class_).partition(" (")[0]


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed decimals; MISSING where it is None or not finite."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text  # no "-0.000"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign; MISSING where undefined."""
    text = number(value, digits)
    return text if text == MISSING or text.startswith("-") else f"+{text}"


def bounds(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval as `[0.650, 0.770]`; empty where there is none."""
    if low is None and high is None:
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def ends(
    low: float | None, high: float | None, digits: int = 3, lines: Sequence[float] = (0.0,)
) -> str:
    """An interval of a difference: an end that is not 0 never reads as 0, see `score.ends`."""
    if low is None or high is None:
        return bounds(low, high, digits)
    first, last = (end(value, lines, digits=digits) for value in (low, high))
    return f"[{first}, {last}]"


def estimate(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval: `0.712 [0.650, 0.770]`."""
    if value is None:
        return MISSING
    return f"{number(value)} {bounds(low, high)}".rstrip()


def count(value: int | None) -> str:
    """An integer with thousands separated: `10,015`."""
    return MISSING if value is None else f"{value:,}"


def magnitude(value: int | None) -> str:
    """A large count in three digits: `812`, `2.23 M`; MISSING where it is None."""
    if value is None:
        return MISSING
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{float(f'{value / size:.3g}'):g} {unit}"
    return str(value)


def share(part: int, whole: int) -> str:
    """A share as a percentage with one decimal: `38.8 %`; MISSING of nothing."""
    return MISSING if whole == 0 else f"{100 * part / whole:.1f} %"


def level(value: float) -> str:
    """Coverage of an interval: `95 %`."""
    return f"{100 * value:g} %"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `71 s`, `12 min 05 s`, `3 h 07 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def bytes_(value: float | None) -> str:
    """A size in decimal units: `25.0 GB`."""
    if value is None:
        return MISSING
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return MISSING


def one_line(value: object) -> str:
    """Text from data on one line, without control, escape or direction-changing characters."""
    return " ".join("".join(_visible(c) for c in str(value)).split())


def lines(value: object) -> str:
    """Text from data that keeps its line breaks and indentation, otherwise like `one_line`."""
    text = str(value).expandtabs(4).replace("\r\n", "\n")
    return "".join(c if c == "\n" else _visible(c) for c in text)


def wrapped(text: str, width: int) -> list[str]:
    """A name on several lines, broken after `/`, `,`, `_` and the like where that is possible."""
    found: list[str] = []
    line = ""
    for part in pieces(one_line(text)):
        while len(part) > width:
            found, line, part = [*found, *filter(None, [line])], part[:width], part[width:]
        if len(line) + len(part) > width:
            found, line = [*found, line.rstrip()], part
        else:
            line += part
    return [*found, line.rstrip()] if line else found


def pieces(text: str) -> list[str]:
    """A name cut after each place where a line may break."""
    return re.findall(r"[^/,_@.:=+ -]*(?:[/,_@.:=+ -]+|$)", text)[:-1] or [text]


def _visible(character: str) -> str:
    if character in "\n\r\t\v\f\u2028\u2029":
        return " "
    return "\ufffd" if unicodedata.category(character) in _HIDDEN_CATEGORIES else character
