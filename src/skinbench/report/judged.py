"""What each row of a run decided, image by image, read once from the run folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skinbench.records import CellOutcome, Row
from skinbench.score.images import Key, ScoredImages
from skinbench.score.predictions import read_predictions
from skinbench.score.row_images import row_images
from skinbench.store import RunFolder, shown_id


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row's test images."""

    by_key: dict[Key, dict[int, ScoredImages]]
    """(dataset, condition) to seed to images, folds pooled."""

    def seeds(self, dataset: str, condition: str) -> dict[int, ScoredImages]:
        """Seed to images of one cell; empty where it has no predictions."""
        return self.by_key.get((dataset, condition), {})


def read_judged(folder: RunFolder, row: Row, cells: Sequence[CellOutcome]) -> Judged:
    """Read the predictions of a row; a seed with a cell missing is left out.

    Raises:
        PredictionsError: a file is not what its name says.
    """
    mine = [cell for cell in cells if cell.row == row.name and cell.status == "done"]
    paths = {cell.cell: folder.prediction(cell.cell) for cell in mine}
    found = {name: read_predictions(path) for name, path in paths.items() if path.exists()}
    pooled = row_images(row, found, [cell for cell in cells if cell.row == row.name])
    by_key: dict[Key, dict[int, ScoredImages]] = {}
    for seed, sets in pooled.by_seed.items():
        for key, images in sets.items():
            by_key.setdefault(key, {})[seed] = images
    return Judged(by_key=by_key)


def salted_judged(judged: Judged, private: Collection[str], salt: str) -> Judged:
    """The same with salted ids for private datasets."""

    def hidden(images: ScoredImages) -> ScoredImages:
        if images.dataset not in private:
            return images
        ids = [shown_id(str(name), salt) for name in images.image_ids]
        groups = [shown_id(str(name), salt, "group") for name in images.groups]
        return replace(
            images,
            image_ids=np.array(ids, dtype=object),
            groups=np.array(groups, dtype=object),
        )

    return Judged(
        by_key={
            key: {seed: hidden(images) for seed, images in seeds.items()}
            for key, seeds in judged.by_key.items()
        }
    )


@dataclass(frozen=True, kw_only=True)
class HardCase:
    """An image that a row decides wrong."""

    image_id: str
    label: str
    decided: str
    probability: float
    """Of the decided class."""
    probability_of_label: float


def hardest(images: ScoredImages, focus: str | None, limit: int = 10) -> tuple[HardCase, ...]:
    """Mistakes, those about the focus class first, then the most confident; one a lesion group.

    Args:
        images: of one seed.
        focus: class code whose misses come first; None for no such class.
        limit: images at most.
    """
    wrong = np.flatnonzero(images.labels != images.decisions)
    confident = images.probabilities[wrong, images.decisions[wrong]]
    index = images.classes.index(focus) if focus in images.classes else -1
    missed = images.labels[wrong] == index
    order = wrong[np.lexsort((images.image_ids[wrong].astype(str), -confident, ~missed))]
    found: dict[str, HardCase] = {}
    half = -(-limit // 2)
    for place in order:
        group, label = str(images.groups[place]), int(images.labels[place])
        of_focus = sum(case.label == focus for case in found.values())
        if group in found or (label == index and of_focus >= half):
            continue
        decided = int(images.decisions[place])
        found[group] = HardCase(
            image_id=str(images.image_ids[place]),
            label=images.classes[label],
            decided=images.classes[decided],
            probability=float(images.probabilities[place, decided]),
            probability_of_label=float(images.probabilities[place, label]),
        )
        if len(found) == limit:
            break
    return tuple(found.values())
