"""Derm7pt: 1,011 cases, each as a dermoscopic and a clinical image, with the seven-point checklist.

Read as `release_v0` unpacks: `meta/meta.csv`, `images/` with the paths that it names (in any
letter case), and the official lists `meta/train_indexes.csv`, `valid_indexes.csv` and
`test_indexes.csv`: positions in meta.csv from 0, used by `published: true` in a suite's split.
An image's id is `case<case_num>_<view>`. Cases with one `case_id` are one lesion group; cases
without one have no lesion id.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from skinbench.catalog.datasets._cells import (
    attributes,
    check_names,
    check_paths,
    known_sex,
    known_text,
    whole_numbers,
)
from skinbench.catalog.datasets._layout import find_table, index_files
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.errors import DataError, UsageError
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options

_TITLE = "Derm7pt"
_VIEWS = ("derm", "clinic")
_USED = ("case_num", "diagnosis", "location", "sex", "clinic", "derm", "case_id")
_LISTS = {"train": "train_indexes.csv", "val": "valid_indexes.csv", "test": "test_indexes.csv"}


def read(root: Path, options: Options) -> RawDataset:
    """Read the official layout.

    Args:
        root: folder that holds meta/ and images/.
        options: view, `derm` (dermoscopic) or `clinic` (clinical photograph).

    Raises:
        UsageError: there is no such view.
        DataError: the table is missing or a cell is broken.
    """
    source, path, view = _cases(root, options)
    check_paths(source, view, path)
    images = {
        f"images/{file}".lower(): f"images/{file}"
        for files in index_files(root / "images", depth=3).values()
        for file in files
    }
    wanted = [f"images/{cell}".lower() for cell in source[view]]
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": _ids(source, view),
            "path": [images.get(key, "") for key in wanted],
            "label": source["diagnosis"],
            "lesion_id": known_text(source["case_id"]) if "case_id" in source else None,
            "sex": known_sex(source["sex"]),
            "site": known_text(source["location"]),
            "attributes": attributes(source, _USED),
        }
    )
    others = {f"images/{cell}".lower() for name in _VIEWS for cell in source[name] if cell}
    unused = sorted(images[key] for key in images.keys() - others)
    return RawDataset(table=table, unused_files=tuple(unused))


def published(root: Path, options: Options) -> pd.DataFrame:
    """The official split: columns image_id and split.

    Raises:
        UsageError: there is no such view.
        DataError: a list is missing, or names a case that is not there or is in another list.
    """
    source, _, view = _cases(root, options)
    ids = _ids(source, view)
    taken: dict[int, str] = {}
    for split, name in _LISTS.items():
        path = find_table(root / "meta", (name,), _TITLE)
        table = read_table(path)
        require_columns(table, ("indexes",), path)
        for row, index in zip(table["row"], whole_numbers(table, "indexes", path), strict=True):
            if index >= len(ids) or index in taken:
                what = f"in {taken[index]} too" if index in taken else f"not one of {len(ids)} rows"
                raise DataError(f"{path}: row {row}: indexes {index} is {what}")
            taken[index] = split
    return pd.DataFrame(
        {"image_id": [ids[index] for index in taken], "split": list(taken.values())}
    )


def _cases(root: Path, options: Options) -> tuple[pd.DataFrame, Path, str]:
    """(rows of meta.csv, its path, the view)."""
    view = options["view"]
    if view not in _VIEWS:
        raise UsageError(f"derm7pt: view is {' or '.join(_VIEWS)}, got {view!r}")
    path = find_table(root / "meta" if (root / "meta").is_dir() else root, ("meta.csv",), _TITLE)
    source = read_table(path)
    require_columns(source, _USED[:-1], path)
    check_names(source, "case_num", path)
    return source, path, str(view)


def _ids(source: pd.DataFrame, view: str) -> list[str]:
    return [f"case{number}_{view}" for number in source["case_num"]]


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_TITLE,
        licence="for research; terms at the homepage",
        citation=(
            "Kawahara J, Daneshvar S, Argenziano G, Hamarneh G. Seven-point checklist and skin "
            "lesion classification using multitask multimodal neural nets. IEEE J Biomed Health "
            "Inform 23(2), 538-546 (2019). doi:10.1109/JBHI.2018.2824327"
        ),
        homepage="https://derm.cs.sfu.ca",
        attribution="Derm7pt, Kawahara et al. 2019, doi:10.1109/JBHI.2018.2824327",
        expected_images=1011,
        label_space="",  # the diagnoses that the table has
        download_note=(
            "cannot be fetched without a login: ask for one with the form at "
            "https://derm.cs.sfu.ca/Download.html, then unpack release_v0.zip"
        ),
    ),
    read=read,
    options={"view": "derm"},
    published=published,
)
