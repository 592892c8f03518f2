"""A row's settings with values of its search put in, and which settings can be searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from skinbench.errors import SuiteError
from skinbench.suite.document import Document
from skinbench.suite.rows import SuiteRow, merge, plain
from skinbench.suite.search import Range, Search
from skinbench.suite.settings import RowSettings
from skinbench.suite.validation import validate

SEARCHABLE = (
    "optimizer",
    "batch_size",
    "epochs",
    "technique",
    "augment",
    "schedule",
    "reduce_on_plateau",
    "early_stopping",
)
"""First parts of the settings that a search may vary: what is trained with, not on what."""


def searched_settings(settings: RowSettings, values: Mapping[str, object]) -> RowSettings:
    """The settings with some values in place of their own, and without the search.

    Args:
        settings: of a row.
        values: dotted setting to value, e.g. `optimizer.lr` to 0.01.

    Raises:
        ValidationError: pydantic's, where a value cannot be.
    """
    return RowSettings.model_validate(_merged(settings, values))


def _merged(settings: RowSettings, values: Mapping[str, object]) -> dict[str, Any]:
    merged = {**plain(settings), "search": None}
    for key, value in values.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        merged = merge(merged, nested)
    return merged


def trial_rows(row: SuiteRow, document: Document) -> Iterator[SuiteRow]:
    """The row with each value, or each end of a range, that its search can give one setting.

    Raises:
        SuiteError: a setting cannot be searched, or a value cannot be.
    """
    search = row.settings.search
    if search is None:
        return
    place = row.place(document, "search")
    for key, values in search.space.items():
        if key.split(".")[0] not in SEARCHABLE:
            message = f"'{key}' cannot be searched; expected {', '.join(SEARCHABLE)} or a part"
            raise document.error(message, (*place, "space", key))
        for value in values.ends if isinstance(values, Range) else values:
            try:
                settings = searched_settings(row.settings, {key: value})
            except ValidationError:
                yield _told(row, key, value, document)
            else:
                yield replace(row, settings=settings)


def _told(row: SuiteRow, key: str, value: object, document: Document) -> SuiteRow:
    """Raise what is wrong with a value, at the search that gives it."""
    place = (*row.place(document, "search"), "space", key)
    try:
        validate(RowSettings, _merged(row.settings, {key: value}), document)
    except SuiteError as error:
        raise document.error(f"value {value!r}: {error.message}", place) from error
    raise AssertionError(key)


def search_problem(row: SuiteRow) -> str:
    """Why a row cannot be searched at all; "" where it can."""
    model = row.settings.model
    if row.settings.search is None or model is None:
        return ""
    if model.weights is not None and model.weights.row is not None:
        return (
            f"'{row.name}' starts from '{model.weights.row}', which is not trained yet when "
            f"settings are searched; search that row, or give its weights as a file"
        )
    return ""


def search_words(search: Search, epochs: int) -> str:
    """`20 trials (random, seed 0) of at most 30 epochs over optimizer.lr`, for plan and report."""
    how = (
        f"{search.sampler}" if search.sampler == "grid" else f"{search.sampler}, seed {search.seed}"
    )
    if search.asha is not None:
        how += f", ASHA from {search.asha.grace} epochs by {search.asha.factor}"
    return (
        f"{search.budget:,} trials ({how}) of at most {epochs:,} epochs over "
        f"{', '.join(search.space)}"
    )
