"""A row's test images by seed, from the predictions of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skinbench.records import Cell, CellOutcome, Row
from skinbench.score.images import Key, ScoredImages, pool
from skinbench.score.predictions import Predictions

NO_DATASET: Key = ("", "none")
"""Where a row stands of which nothing was predicted."""


@dataclass(frozen=True, kw_only=True)
class RowImages:
    """A row's scored images by seed, and what is wrong with seeds that cannot be scored."""

    by_seed: Mapping[int, Mapping[Key, ScoredImages]]
    problems: Mapping[int, str]


def cell_name(cell: Cell | CellOutcome) -> str:
    """`row@fold.seed` of either record."""
    return cell.name if isinstance(cell, Cell) else cell.cell


def row_images(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
) -> RowImages:
    """Pool a row's cells by seed; a seed with any cell missing is a problem, never a part."""
    complete, problems = _seeds(row, predictions, cells)
    by_seed = {seed: pool(row.classes, parts) for seed, parts in complete.items()}
    return RowImages(by_seed=by_seed, problems=problems)


def row_keys(
    row: Row, predictions: Mapping[str, Predictions], cells: Sequence[Cell | CellOutcome]
) -> list[Key]:
    """(dataset, condition) of a row's test images, `none` first, without pooling them."""
    found: set[Key] = set()
    for parts in _seeds(row, predictions, cells)[0].values():
        for frame in (part.frame for part in parts):
            places = frame.loc[frame["split"] == "test", ["dataset", "condition"]]
            for dataset, condition in places.drop_duplicates().to_numpy():
                found.add((str(dataset), str(condition)))
    return sorted(found, key=_none_first)


def _seeds(
    row: Row, predictions: Mapping[str, Predictions], cells: Sequence[Cell | CellOutcome]
) -> tuple[dict[int, list[Predictions]], dict[int, str]]:
    """Predictions of each seed that has all folds; what is wrong with the others."""
    complete: dict[int, list[Predictions]] = {}
    problems: dict[int, str] = {}
    for seed in sorted({cell.seed for cell in cells if cell.row == row.name}):
        parts, missing = [], ""
        own = [cell for cell in cells if cell.row == row.name and cell.seed == seed]
        for cell in sorted(own, key=lambda item: item.fold):
            name = cell_name(cell)
            if isinstance(cell, CellOutcome) and cell.status != "done":
                reason = cell.reason or "no reason given"
                missing = missing or f"cell {name} {cell.status}: {reason}"
            elif name not in predictions:
                missing = missing or f"cell {name} has no predictions"
            else:
                parts.append(predictions[name])
        if missing:
            problems[seed] = missing
        else:
            complete[seed] = parts
    return complete, problems


def borrowed_keys(row: Row, rows: Sequence[Row], keys: Mapping[str, Sequence[Key]]) -> list[Key]:
    """Where a row stands that has no predictions: where other rows of its split do."""
    found = {
        (key[0], "none") for other in rows if other.split == row.split for key in keys[other.name]
    }
    return sorted(found or {NO_DATASET}, key=_none_first)


def _none_first(key: Key) -> tuple[str, bool, str]:
    return key[0], key[1] != "none", key[1]
