"""A run folder is what its scorecard says: files of an earlier run move under history/."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from skinbench.errors import StoreError
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Scorecard
from skinbench.store import RunFolder, read_json

_PICTURES = (
    "thumbnail",
    "outlined",
    "seen",
    "heat",
    "overlay",
    "heat_of_label",
    "overlay_of_label",
)
"""Fields of a case, or of an answer, that name a picture."""

UNFINISHED = "unfinished"
"""Where files go that a run without a scorecard left behind."""


def scorecard_name(folder: RunFolder) -> str:
    """Name under which the present scorecard is kept once another takes its place; "" for none."""
    if not folder.scorecard.exists():
        return ""
    return hashlib.sha256(folder.scorecard.read_bytes()).hexdigest()[:16]


def put_away(
    prepared: Prepared, card: Scorecard, folder: RunFolder, earlier: str, *, judged: bool
) -> list[Path]:
    """Move what this run did not write to history/<earlier>/, beside that run's scorecard.

    Nothing is deleted: a file that stands there already with other bytes keeps its place, and
    the new one gets a number.

    Args:
        prepared: the run.
        card: its scorecard.
        folder: its folder.
        earlier: `scorecard_name` from before this run.
        judged: whether verdict.json is of this run.

    Returns:
        Where the files went.

    Raises:
        StoreError: the folder is read-only.
    """
    moved = []
    strangers = {*_strangers(prepared, card, folder)}
    if not judged and folder.verdict.exists() and earlier != scorecard_name(folder):
        strangers.add(folder.verdict)
    for path in sorted(strangers):
        target = folder.history / (earlier or UNFINISHED) / path.relative_to(folder.root)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            moved.append(path.replace(_free(target, path)))
        except OSError as error:
            raise StoreError(f"cannot move {path}: {error.strerror or error}") from error
    return moved


def _strangers(prepared: Prepared, card: Scorecard, folder: RunFolder) -> Iterator[Path]:
    """Files of another run: of cells, fits, data, splits and pictures that this one has not."""
    done = {folder.prediction(cell.cell) for cell in card.cells if cell.status == "done"}
    yield from (path for path in folder.predictions.glob("*.parquet") if path not in done)
    segmented = {
        folder.segmentation(cell.cell) for cell in card.segmentation_cells if cell.status == "done"
    }
    yield from (path for path in folder.segmentations.glob("*.parquet") if path not in segmented)
    fits = {folder.fit(name) for name in prepared.plan.fits}
    yield from (path for path in folder.fits.glob("*.json") if path not in fits)
    for place, names in (
        (folder.manifests, prepared.manifests),
        (folder.splits, prepared.splits),
    ):
        yield from (path for path in place.glob("*.*") if path.stem not in names)
    shown: set[str] = set()
    explained = prepared.suite.file.explain
    if explained is not None and explained.cases:
        cases = [case for one in read_json(folder.cases)["sets"] for case in one["cases"]]
        items = [*cases, *(answer for case in cases for answer in case["answers"])]
        shown = {item[kind] for item in items for kind in _PICTURES if kind in item}
    elif folder.cases.exists():
        yield folder.cases
    for place in (folder.thumbnails, folder.heatmaps):
        yield from (path for path in place.glob("*.*") if path.name not in shown)


def _free(target: Path, source: Path) -> Path:
    """`target`, or the same with a number where a file of other bytes stands there."""
    number, free = 1, target
    while free.exists() and free.read_bytes() != source.read_bytes():
        number += 1
        free = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return free
