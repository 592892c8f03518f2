"""How often a row saw an image as it is, where another row's map was to take part in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from skinbench import registry
from skinbench.data.made_pixels import read_fallbacks, seen_digest
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Cell, FitRecord, FitSpec, SeenCount
from skinbench.score.assemble import evaluated_images
from skinbench.store import RunFolder, Store, write_json

Found = dict[tuple[str, str, str, str], tuple[int, int]]
"""(row, kind of pixels, dataset, split) to images and fallbacks."""


def count_seen(
    prepared: Prepared, folder: RunFolder, records: Mapping[str, FitRecord], store: Store
) -> tuple[SeenCount, ...]:
    """Count fallbacks by row, dataset and split; write seen.json where a row can have any."""
    found: Found = {}
    plan, order = prepared.plan, {"train": 0, "val": 1, "test": 2}
    for cell in plan.cells:
        spec = plan.fits[str(cell.fit)]
        if spec.pixels is None or records[str(cell.fit)].status != "done":
            continue
        for images in _images(prepared, cell):
            _count(prepared, cell, spec, images, store, found)
    counts = tuple(
        SeenCount(
            row=row,
            pixels=pixels,
            dataset=dataset,
            split=split,
            images=images,
            fallbacks=fallbacks,
            note=registry.pixels.get(pixels).note,
        )
        for (row, pixels, dataset, split), (images, fallbacks) in sorted(
            found.items(), key=lambda item: (*item[0][:3], order[item[0][3]])
        )
    )
    if counts:
        write_json(folder.seen, {"counts": counts})
    elif folder.seen.exists():
        folder.seen.unlink()  # of an earlier suite in this folder
    return counts


def _images(prepared: Prepared, cell: Cell) -> Iterator[pd.DataFrame]:
    """Rows of split tables that a cell learnt from or was judged on, each once."""
    row = next(row for row in prepared.plan.rows if row.name == cell.row)
    table = prepared.splits[row.split].table
    if not row.of:
        yield table[(table["fold"] == cell.fold) & (table["split"] == "train")]
    for item in prepared.plan.evaluations:
        if item.cell == cell.name and item.condition == "none" and not item.only:
            yield evaluated_images(item, prepared.splits[item.split], cell.fold)


def _count(
    prepared: Prepared,
    cell: Cell,
    spec: FitSpec,
    images: pd.DataFrame,
    store: Store,
    found: Found,
) -> None:
    by_name = {item.name: item for item in prepared.joined.values()}
    for (dataset, split), part in images.groupby(["dataset", "split"], sort=True):
        manifest = by_name[str(dataset)]
        digest = seen_digest(spec.pixels, manifest.digest, spec.train.image_size)
        flags = pd.Series(read_fallbacks(store, digest), index=manifest.table["image_id"])
        key = (cell.row, str(spec.pixels.name if spec.pixels else ""), str(dataset), str(split))
        before = found.get(key, (0, 0))
        found[key] = (
            before[0] + len(part),
            before[1] + int(flags.loc[part["image_id"]].sum()),
        )
