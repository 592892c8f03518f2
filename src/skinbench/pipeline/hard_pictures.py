"""Small pictures of the images that rows got wrong, for the lists that name them."""

from __future__ import annotations

import itertools

from skinbench.data.pictures import save_picture
from skinbench.data.pixels import thumbnail
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Scorecard
from skinbench.report.cell_pages import places
from skinbench.report.content import read_content
from skinbench.report.gallery_data import hard_picture
from skinbench.report.judged import hardest, read_judged
from skinbench.report.tables import Scores
from skinbench.score.calibration import focus_class
from skinbench.store import RunFolder

SIDE = 96
"""Longest side, pixels: shown at half of it."""


def picture_hardest(prepared: Prepared, folder: RunFolder, card: Scorecard) -> None:
    """Write what is missing; nothing where the suite wants no cases, or of private data.

    Args:
        prepared: manifests by dataset.
        folder: with predictions and scorecard.
        card: the scorecard.
    """
    settings = prepared.suite.file.explain
    if settings is None or settings.cases == 0:
        return
    wanted = _of_rows(folder)
    if card.weak_spots is not None:
        spots = card.weak_spots
        wanted.update(dict.fromkeys((item.dataset, item.image_id) for item in spots.hardest))
    for dataset, image in wanted:
        path = folder.thumbnails / hard_picture(dataset, image)
        manifest = prepared.manifests.get(dataset)
        if manifest is None or dataset in prepared.suite.file.private_data or path.exists():
            continue
        save_picture(path, thumbnail(manifest, image, SIDE), SIDE)


def _of_rows(folder: RunFolder) -> dict[tuple[str, str], None]:
    """(dataset, image id) that the cells' pages list as hardest."""
    content = read_content(folder)
    found: dict[tuple[str, str], None] = {}
    cells = places(content, Scores(content.scorecard))
    for row, mine in itertools.groupby(cells, key=lambda place: place.row):
        judged = read_judged(folder, row, content.scorecard.cells)
        for place in mine:
            seeds = judged.seeds(place.dataset, place.condition)
            cases = hardest(seeds[min(seeds)], focus_class(row.classes)) if seeds else ()
            found.update(dict.fromkeys((place.dataset, case.image_id) for case in cases))
    return found
