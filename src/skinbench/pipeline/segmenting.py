"""How far the lesions that segmentations find overlap the true ones, a table a cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.cluster.schedule import Schedule
from skinbench.pipeline.prepared import Prepared
from skinbench.records import STAGE_VERSIONS, Cell
from skinbench.score.segmentation import write_overlaps
from skinbench.store import RunFolder, content_digest
from skinbench.store.arrays import open_array

_FILE = "overlaps.npy"


def segment(prepared: Prepared, folder: RunFolder, schedule: Schedule) -> None:
    """Judge every finished segmentation on val and test; write one table a cell."""
    rows = {row.name: row for row in prepared.plan.segmentations}
    by_name = {item.name: item for item in prepared.joined.values()}
    for cell in prepared.plan.segmentation_cells:
        if cell.fit is None or schedule.records[cell.fit].status != "done":
            continue
        table = prepared.splits[rows[cell.row].split].table
        images = table[(table["fold"] == cell.fold) & table["split"].isin(["val", "test"])]
        images = images.sort_values(["dataset", "image_id"], ignore_index=True)
        frames = []
        for name, part in images.groupby("dataset", sort=True):
            manifest = by_name[str(name)]
            facts = manifest.table.set_index("image_id").loc[part["image_id"]]
            found = _overlaps(prepared, cell, manifest.digest, part, schedule)
            frames.append(
                pd.DataFrame(
                    {
                        "image_id": part["image_id"].to_numpy(),
                        "group_id": facts["group_id"].to_numpy(),
                        "dataset": part["dataset"].to_numpy(),
                        "split": part["split"].to_numpy(),
                        "fold": part["fold"].to_numpy(np.int32),
                        "weight": part["copies"].to_numpy(np.float32),
                        "both": found[:, 0],
                        "found": found[:, 1],
                        "true": found[:, 2],
                    }
                )
            )
        write_overlaps(folder.segmentation(cell.name), pd.concat(frames))


def _overlaps(
    prepared: Prepared, cell: Cell, dataset: str, images: pd.DataFrame, schedule: Schedule
) -> npt.NDArray[np.int64]:
    """[N, 3] of `find_overlaps`; what the store has is not computed again."""
    store, batch_size = schedule.store, prepared.suite.file.inference.batch_size
    ids = list(dict.fromkeys(images["image_id"]))
    name = content_digest(
        ["segmentation", cell.fit, dataset, ids, batch_size, STAGE_VERSIONS["inference"]]
    )
    if not store.has("predictions", name):
        from skinbench.learn.segmentation import find_overlaps

        made = find_overlaps(
            str(cell.fit), dataset, ids, store, weights=schedule.weights, batch_size=batch_size
        )

        def write(folder: Path) -> None:
            np.save(folder / _FILE, made, allow_pickle=False)

        store.publish("predictions", name, write)
    found: npt.NDArray[np.int64] = open_array(store.open("predictions", name) / _FILE)
    return found[pd.factorize(images["image_id"])[0]]
