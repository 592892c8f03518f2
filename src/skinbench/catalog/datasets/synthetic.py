"""Drawn lesions with masks, views, HAM10000's class shares and telling metadata, from a seed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from skinbench.catalog.datasets._cells import check_names, known_age, known_sex, known_text
from skinbench.catalog.datasets._layout import index_files
from skinbench.catalog.datasets._lesions import draw, make_lesion
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.errors import DataError, UsageError
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options, Progress

_COLUMNS = ("image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization")
_LEAST = 5
"""Lesions of the rarest class, so that five folds can each have one."""
_SITES = (
    "abdomen", "back", "chest", "face", "lower extremity", "neck", "scalp", "trunk",
    "upper extremity", "unknown",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Habit:
    """How often a class is seen, and in whom; shares and means are HAM10000's, rounded."""

    lesions: float
    """Share of all lesions."""
    views: tuple[float, ...]
    """Chance of 1, 2, 3 pictures of a lesion."""
    age: tuple[float, float]
    """Mean and standard deviation in years."""
    male: float
    sites: tuple[float, ...]
    """Relative frequency of each of _SITES."""
    dx_type: Mapping[str, float]


_PROVED = {"histo": 1.0}
_MIXED = {"histo": 0.65, "consensus": 0.30, "confocal": 0.05}
_HABITS = {
    "akiec": _Habit(lesions=0.0305, views=(0.65, 0.27, 0.08), age=(66, 11), male=0.68,
                    sites=(2, 9, 4, 36, 20, 3, 4, 1, 19, 1), dx_type=_PROVED),
    "bcc": _Habit(lesions=0.0438, views=(0.55, 0.33, 0.12), age=(67, 13), male=0.62,
                  sites=(4, 36, 9, 20, 11, 3, 4, 2, 10, 1), dx_type=_PROVED),
    "bkl": _Habit(lesions=0.0973, views=(0.58, 0.33, 0.09), age=(64, 14), male=0.58,
                  sites=(4, 18, 7, 29, 16, 3, 3, 7, 9, 3), dx_type=_MIXED),
    "df": _Habit(lesions=0.0098, views=(0.55, 0.33, 0.12), age=(53, 13), male=0.55,
                 sites=(3, 2, 1, 1, 71, 1, 1, 1, 20, 1), dx_type=_MIXED),
    "mel": _Habit(lesions=0.0822, views=(0.40, 0.39, 0.21), age=(61, 15), male=0.62,
                  sites=(6, 30, 6, 10, 18, 3, 2, 5, 20, 1), dx_type=_PROVED),
    "nv": _Habit(lesions=0.7233, views=(0.79, 0.18, 0.03), age=(46, 15), male=0.52,
                 sites=(13, 21, 4, 2, 25, 2, 1, 19, 11, 3),
                 dx_type={"follow_up": 0.55, "histo": 0.40, "consensus": 0.05}),
    "vasc": _Habit(lesions=0.0131, views=(0.62, 0.31, 0.07), age=(51, 21), male=0.49,
                   sites=(19, 15, 5, 7, 19, 3, 2, 22, 8, 1), dx_type=_MIXED),
}  # fmt: skip


def prepare(folder: Path, options: Options, progress: Progress | None = None) -> Path:
    """Draw the dataset: images/, masks/ and metadata.csv, in HAM10000's columns.

    The same options give the same bytes with the same NumPy and Pillow on the same kind of
    processor; each lesion has a random stream of its own.

    Args:
        folder: an empty folder to fill.
        options: lesions (number of lesions), size (side in pixels), seed.
        progress: called as lesions are drawn.

    Returns:
        The folder.

    Raises:
        UsageError: an option is no whole number in its range.
    """
    lesions = _whole(options, "lesions", 7 * _LEAST, 100_000)
    size = _whole(options, "size", 16, 1024)
    seed = _whole(options, "seed", 0, 2**32 - 1)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        number = 0
        for index, label in enumerate(_labels(lesions, seed)):
            rng = np.random.default_rng([seed, 1, index])
            facts = _facts(label, rng)
            for image, mask in _views(label, size, rng):
                number += 1
                image_id = f"SYN_{number:07d}"
                table.writerow([image_id, f"SYNL_{index + 1:07d}", label, *facts])
                image.save(folder / "images" / f"{image_id}.jpg", quality=90, subsampling=0)
                mask.save(folder / "masks" / f"{image_id}.png", compress_level=1)
            if progress is not None:
                progress("drawing lesions", index + 1, lesions)
    return folder


def _whole(options: Options, name: str, least: int, most: int) -> int:
    value = options[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"synthetic: {name} is a whole number of {least} to {most}, got {value!r}")
    return value


def _labels(lesions: int, seed: int) -> list[str]:
    """Class of each lesion: HAM10000's shares, at least _LEAST of each, in random order."""
    wanted = {code: habit.lesions * lesions for code, habit in _HABITS.items()}
    counts = {code: max(_LEAST, round(number)) for code, number in wanted.items()}
    counts["nv"] += lesions - sum(counts.values())
    if counts["nv"] < _LEAST:  # so few lesions that rounding up the rare ones took the rest
        counts = {code: lesions // 7 + (i < lesions % 7) for i, code in enumerate(_HABITS)}
    labels = np.repeat(list(counts), list(counts.values()))
    return [str(label) for label in np.random.default_rng([seed, 0]).permutation(labels)]


def _facts(label: str, rng: np.random.Generator) -> tuple[str, str, str, str]:
    """(dx_type, age, sex, localization) as written in the table; a few are unknown."""
    habit = _HABITS[label]
    years = int(np.clip(5 * np.round(rng.normal(*habit.age) / 5), 0, 85))
    age = "" if rng.random() < 0.01 else f"{years}.0"
    sex = "unknown" if rng.random() < 0.01 else "male" if rng.random() < habit.male else "female"
    odds = np.array(habit.sites) / sum(habit.sites)
    site = _SITES[int(rng.choice(len(_SITES), p=odds))]
    kinds, shares = list(habit.dx_type), list(habit.dx_type.values())
    return kinds[int(rng.choice(len(kinds), p=shares))], age, sex, site


def _views(
    label: str, size: int, rng: np.random.Generator
) -> Iterator[tuple[Image.Image, Image.Image]]:
    lesion = make_lesion(label, rng)
    chances = _HABITS[label].views
    for _ in range(1 + int(rng.choice(len(chances), p=chances))):
        image, mask = draw(lesion, size, rng)
        yield Image.fromarray(image), Image.fromarray(mask)


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read what `prepare` drew.

    Raises:
        DataError: the folder holds no such dataset.
    """
    path = root / "metadata.csv"
    if not path.is_file():
        raise DataError(f"synthetic: no metadata.csv in {root}; leave root out to have it drawn")
    source = read_table(path)
    require_columns(source, _COLUMNS, path)
    check_names(source, "image_id", path)
    images = index_files(root / "images", depth=0)
    masks = index_files(root / "masks", depth=0)
    keys = [image_id.lower() for image_id in source["image_id"]]
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": source["image_id"],
            "path": [f"images/{images[key][0]}" if key in images else "" for key in keys],
            "label": source["dx"],
            "lesion_id": source["lesion_id"],
            "age": known_age(source, "age", path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["localization"]),
            "dx_type": source["dx_type"],
            "mask_path": [f"masks/{masks[key][0]}" if key in masks else None for key in keys],
        }
    )
    unused = sorted(f"images/{images[stem][0]}" for stem in images.keys() - set(keys))
    return RawDataset(table=table, unused_files=tuple(unused))


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title="Synthetic lesions",
        licence="Apache-2.0",
        citation="Drawn by skinbench; no picture shows a real person.",
        homepage="",
        attribution="Synthetic: drawn by skinbench, no picture shows a real person",
        synthetic=True,
        label_space="ham7",
    ),
    read=read,
    options={"lesions": 400, "size": 96, "seed": 0},
    prepare=prepare,
)
