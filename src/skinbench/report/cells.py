"""Cells of a report: one row on one test set under one condition, and its address in the page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from skinbench.records import Row
from skinbench.report import numbers
from skinbench.store import file_name

_LONGEST = 80


def slug(row: str, dataset: str, condition: str = "none") -> str:
    """What a cell is called in addresses (`#cell-SLUG`), ids and file names.

    Args:
        row: name of the row.
        dataset: key under `data:` of the test set.
        condition: `none`, or e.g. `blur@3`.

    Returns:
        ASCII letters, digits and single hyphens; no two cells have the same one.
    """
    named = [row, dataset, *([] if condition == "none" else [condition])]
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in file_name(" ".join(named)))
    # The readable part is cut, and two names can share it: the digest tells them apart.
    whole = "\0".join((row, dataset, condition)).encode("utf-8", "replace")
    words = "-".join(filter(None, plain.split("-")))[:_LONGEST].strip("-").lower()
    return "-".join(filter(None, (words, hashlib.sha256(whole).hexdigest()[:6])))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cell that has a page."""

    row: Row
    dataset: str
    condition: str

    @property
    def slug(self) -> str:
        """See `cells.slug`."""
        return slug(self.row.name, self.dataset, self.condition)

    @property
    def where(self) -> tuple[str, str, str]:
        """Key of its scores."""
        return (self.row.name, self.dataset, self.condition)

    @property
    def title(self) -> str:
        """`ham`, or `ham, blur@3`."""
        altered = "" if self.condition == "none" else f", {self.condition}"
        return numbers.one_line(self.dataset + altered)
