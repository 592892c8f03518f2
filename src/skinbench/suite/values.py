"""Values of a row that would be refused only once it is trained, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.suite.settings import RowSettings


def value_problems(settings: RowSettings) -> Iterator[tuple[str, str]]:
    """The field of a row and what is wrong with it, for each problem.

    Args:
        settings: of the row; its names and the names of its options are known to be right.
    """
    for item in settings.technique.all:
        try:
            _try_technique(item.name, item.options)
        except UsageError as error:
            yield "technique", str(error)
        except (TypeError, ValueError) as error:
            yield "technique", f"technique {item.name}: an option cannot be used: {error}"
    for item in settings.augment:
        share = item.options.get("p", 0.5)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            yield "augment", f"augment {item.name}: p is {share!r}; expected 0 to 1"
    model = None if settings.model is None else registry.models.get(settings.model.name)
    if model is not None and model.check_size is not None:
        try:
            model.check_size(settings.image_size)
        except UsageError as error:
            yield "image_size", str(error)


def _try_technique(name: str, options: Mapping[str, Any]) -> None:
    """Let the parts of a technique that need no torch look at its options."""
    entry = registry.techniques.get(name)
    given, counts = {**entry.options, **options}, np.ones(2, dtype=np.int64)
    if entry.check is not None:
        entry.check(given)
    for part in (entry.smoothing, entry.mix):
        if part is not None:
            part(given)
    for weighing in (entry.weights, entry.offset):
        if weighing is not None:
            weighing(counts, given)
