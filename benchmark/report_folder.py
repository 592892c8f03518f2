"""A made-up run folder of any size, for the report's benchmark: nothing in it was measured.

Rows are copies of one network's row of the tests' fabricated run, each with its own scores, fit
and predictions, so that every part of the page has as much to show as in a real run.
"""

from __future__ import annotations

import dataclasses
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.report.fixture import Wish, make_run
from tests.report.judged_run import write_judged

from skinbench.records import Scorecard
from skinbench.store import RunFolder, read_record, to_plain, write_json

MODEL = "techniques/mobilenetv2_100,none,image"


def make_folder(root: Path, *, rows: int, cases: int, images: int) -> RunFolder:
    """Write the folder; the same numbers give the same bytes.

    Args:
        root: where to.
        rows: cells, one row each.
        cases: of the gallery, shown for two models.
        images: of the dataset; a fifth of them are test images.
    """
    folder = make_run(root, Wish(rows=13, images=images, cases=cases, picture_size=128))
    card = read_record(folder.scorecard, Scorecard)
    names = [f"grid/{index:03d},{MODEL.split('/')[1]}" for index in range(rows)]
    write_json(folder.scorecard, _grown(card, names))
    fit = next(cell.fit for cell in card.cells if cell.row == MODEL)
    for name in names:
        shutil.copy(folder.fit(str(fit)), folder.fit(_fit_of(name)))
    folder.plan.unlink()
    write_judged(folder)
    _smaller_pictures(folder)
    return folder


def _fit_of(name: str) -> str:
    digits = "".join(filter(str.isdigit, name.partition(",")[0]))
    return f"fit{digits.zfill(29)}"


def _grown(card: Scorecard, names: list[str]) -> Scorecard:
    """The scorecard with a copy of the model's row, scores and standings for every name."""
    rng = np.random.default_rng(3)
    plain = next(row for row in card.rows if row["name"] == MODEL)
    rows: list[Any] = [*card.rows, *({**plain, "name": name} for name in names)]
    cells, scores, confusions = [*card.cells], [*card.scores], [*card.confusions]
    mine = [cell for cell in card.cells if cell.row == MODEL]
    families = {id(item): [*item.standings] for item in card.families}
    for name in names:
        shift = float(rng.normal(0, 0.03))
        cells += [
            dataclasses.replace(
                cell, row=name, cell=cell.cell.replace(MODEL, name), fit=_fit_of(name)
            )
            for cell in mine
        ]
        scores += [
            dataclasses.replace(score, row=name, value=_moved(score.value, shift))
            for score in card.scores
            if score.row == MODEL
        ]
        confusions += [
            dataclasses.replace(item, row=name) for item in card.confusions if item.row == MODEL
        ]
        for item in card.families:
            families[id(item)] += [
                dataclasses.replace(one, row=name) for one in item.standings if one.row == MODEL
            ]
    return dataclasses.replace(
        card,
        rows=tuple(to_plain(row) for row in rows),
        cells=tuple(cells),
        scores=tuple(scores),
        confusions=tuple(confusions),
        families=tuple(
            dataclasses.replace(item, standings=tuple(families[id(item)])) for item in card.families
        ),
    )


def _moved(value: float | None, shift: float) -> float | None:
    return None if value is None else min(1.0, max(0.0, value + shift))


def _smaller_pictures(folder: RunFolder) -> None:
    """WebP, as a run writes them."""
    for place in (folder.thumbnails, folder.heatmaps):
        for path in sorted(place.iterdir()):
            buffer = io.BytesIO()
            Image.open(path).convert("RGB").save(buffer, "WEBP", quality=80, method=4)
            path.with_suffix(".webp").write_bytes(buffer.getvalue())
            path.unlink()
    text = folder.cases.read_text("utf-8").replace(".png", ".webp").replace(".jpg", ".webp")
    folder.cases.write_text(text, encoding="utf-8")
