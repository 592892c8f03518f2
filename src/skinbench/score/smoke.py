"""Which reduced rows were run on so little that their numbers mean nothing: smoke tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench.errors import counted
from skinbench.records import Cell, FitRecord, Plan

FEWEST_IMAGES = 1000
FEWEST_TRAINED = 500
"""Images of an epoch: a technique may train on a small part of the split."""
FEWEST_EPOCHS = 3


def smoke_rows(
    plan: Plan,
    records: Mapping[str, FitRecord],
    reduced: Mapping[str, str],
    images: Mapping[str, int],
) -> dict[str, str]:
    """Row to why it is smoke; rows that were not reduced never are.

    A reduced row needs 1,000 images in its split, and from each of its fits 3 epochs of 500 images
    and a train loss that is lower at the end than after the first. A derived row is smoke where a
    member is.

    Args:
        plan: rows and cells.
        records: fit id to record.
        reduced: row to what was reduced.
        images: split to its images, train, val and test.
    """
    found: dict[str, str] = {}
    by_name = {row.name: row for row in plan.rows}
    for row in plan.rows:
        if (row.of or row.name) not in reduced:
            continue
        if row.kind == "derived":
            members = [name.rpartition("@")[0] for name in _members(plan, row.name)]
            why = next((f"made of {m}: {found[m]}" for m in members if m in found), "")
        else:
            own = [cell for cell in plan.cells if cell.row == row.name]
            why = _too_few(images.get(row.split)) or _too_short(own, records)
        if why:
            found[by_name[row.name].name] = why
    return found


def _members(plan: Plan, row: str) -> list[str]:
    return [name for item in plan.derived if item.cell.row == row for name in item.members]


def _too_few(images: int | None) -> str:
    if images is None or images >= FEWEST_IMAGES:
        return ""
    return f"{counted(images, 'image')}, fewer than {FEWEST_IMAGES:,}"


def _too_short(cells: Sequence[Cell], records: Mapping[str, FitRecord]) -> str:
    """Why the first of its fits was too short, or did not learn; failed ones say so elsewhere."""
    for cell in cells:
        record = records.get(str(cell.fit))
        if record is None or record.status != "done" or record.best_epoch is None:
            continue
        history = record.history
        if len(history) < FEWEST_EPOCHS:
            return f"{counted(len(history), 'epoch')}, fewer than {FEWEST_EPOCHS}"
        if history[0].images < FEWEST_TRAINED:
            trained = counted(history[0].images, "image")
            return f"trained on {trained} an epoch, fewer than {FEWEST_TRAINED}"
        if not history[-1].train_loss < history[0].train_loss:
            return "its train loss did not fall"
    return ""
