"""Anyone's table of images and labels: CSV, TSV or Parquet, image paths beside it.

`root` is the table itself, or its folder with the option `table`. Columns keep their own names
through options: an option that is None takes the column of the option's name where there is one.
Columns that no option names are kept as attributes. An absolute image path is accepted where it
lies inside the table's folder.
"""

from __future__ import annotations

import posixpath
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from skinbench.catalog.datasets._cells import (
    attributes,
    check_names,
    check_paths,
    known_age,
    known_sex,
    known_text,
)
from skinbench.catalog.datasets._layout import index_files
from skinbench.catalog.datasets._tables import columns_of, read_table, require_columns
from skinbench.errors import DataError
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options

_FIELDS = ("image_id", "path", "label", "lesion_id", "patient_id", "age", "sex", "site", "source")
_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq"})
_SHOWN = 5
_GROUPS = ("lesion_id", "patient_id")


def read(root: Path, options: Options) -> RawDataset:
    """Read a table and find its images.

    Without a path column an image is the file below the table's folder whose name without
    ending is the image_id; without an image_id column the id is that name.

    Args:
        root: the table, or the folder that the option `table` is relative to.
        options: see ENTRY.options.

    Raises:
        DataError: the table or a named column is missing; a cell is broken or hostile.
    """
    table_path, folder = _find_table(root, str(options["table"]))
    source = read_table(table_path)
    columns = _columns(source, options, table_path)
    if "label" not in columns:
        raise DataError(
            f"{table_path}: no column label; name yours with the option `label` of this dataset; "
            f"its columns are: {columns_of(source)}"
        )
    table = pd.DataFrame({"row": source["row"]})
    paths, unused = _paths(source, columns, table_path, folder)
    table["path"] = paths
    if "image_id" in columns:
        check_names(source, columns["image_id"], table_path)
        table["image_id"] = source[columns["image_id"]]
    else:
        table["image_id"] = [PurePosixPath(path).stem for path in paths]
        check_names(table, "image_id", table_path)
    table["label"] = source[columns["label"]]
    _add_metadata(table, source, columns, table_path)
    return RawDataset(table=table, unused_files=tuple(unused))


def _find_table(root: Path, name: str) -> tuple[Path, str]:
    """(the table, its folder relative to the manifest's root with a closing slash, or '')."""
    if root.is_file():
        return root, ""
    problem_frame = pd.DataFrame({"row": [1], "table": [name.replace("\\", "/")]})
    check_paths(problem_frame, "table", root)
    path = root / name
    if not path.is_file():
        raise DataError(_no_table(root, name))
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{path} is a link that leads out of {root}; copy the table there instead")
    parent = PurePosixPath(name.replace("\\", "/")).parent.as_posix()
    return path, "" if parent == "." else f"{parent}/"


def _no_table(root: Path, name: str) -> str:
    tables = []
    if root.is_dir():
        tables = sorted(p.name for p in root.iterdir() if p.suffix.lower() in _TABLE_SUFFIXES)
    if len(tables) == 1:
        return (
            f"no table {name} in {root}, which holds {tables[0]}: set the option `table` to "
            f"{tables[0]}, or root to {root / tables[0]}"
        )
    there = f" ({', '.join(tables[:_SHOWN])} are there)" if tables else ""
    return f"no table {name} in {root}{there}; set root to the table itself, or the option `table`"


def _columns(source: pd.DataFrame, options: Options, path: Path) -> dict[str, str]:
    """Field to column name, for the fields that the table has."""
    asked = {field: options[field] for field in _FIELDS}
    require_columns(source, [str(name) for name in asked.values() if name is not None], path)
    columns = {
        field: str(name) if name is not None else field
        for field, name in asked.items()
        if name is not None or field in source.columns
    }
    if "image_id" not in columns and "path" not in columns:
        raise DataError(
            f"{path}: needs a column image_id or path; name yours with the option `image_id` "
            f"or `path`; its columns are: {columns_of(source)}"
        )
    return columns


def _paths(
    source: pd.DataFrame, columns: dict[str, str], table_path: Path, folder: str
) -> tuple[list[str], list[str]]:
    """(path per row relative to the manifest's root, image files that no row names)."""
    if "path" in columns:
        cells = source[["row"]].copy()
        inside = _Inside(table_path.parent)
        parts = [v and inside.relative(v).replace("\\", "/") for v in source[columns["path"]]]
        cells["path"] = pd.Series(parts, dtype=object)
        check_paths(cells, "path", table_path)
        return [folder + posixpath.normpath(value) for value in cells["path"]], []
    check_names(source, columns["image_id"], table_path)
    images = index_files(table_path.parent, depth=3)
    keys = [value.lower() for value in source[columns["image_id"]]]
    for row, key in zip(source["row"], keys, strict=True):
        if len(images.get(key, ())) > 1:
            raise DataError(
                f"{table_path}: row {row}: {len(images[key])} files could be this image: "
                f"{', '.join(images[key][:3])}; add a path column"
            )
    unused = sorted(folder + images[stem][0] for stem in images.keys() - set(keys))
    return [folder + images[key][0] if key in images else "" for key in keys], unused


class _Inside:
    """Makes absolute paths that lie inside a folder relative to it; others stay as they are.

    The real place of an image's folder is looked up once; of the image itself it is not, so that
    a link that leads out is still refused by name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._places: dict[Path, Path] = {}

    def relative(self, value: str) -> str:
        if not posixpath.isabs(value) or not value.isprintable():
            return value
        path = Path(value)
        if path.parent not in self._places:
            self._places[path.parent] = path.parent.resolve()
        real = self._places[path.parent] / path.name
        inside = real.is_relative_to(self._folder)
        return real.relative_to(self._folder).as_posix() if inside else value


def _add_metadata(
    table: pd.DataFrame, source: pd.DataFrame, columns: dict[str, str], path: Path
) -> None:
    """Add the optional columns to `table`, None where the source has no such column."""
    for field in _GROUPS:
        table[field] = known_text(source[columns[field]]) if field in columns else None
    for field in ("site", "source"):
        table[field] = known_text(source[columns[field]]) if field in columns else None
    table["sex"] = known_sex(source[columns["sex"]]) if "sex" in columns else None
    table["age"] = known_age(source, columns["age"], path) if "age" in columns else np.nan
    table["attributes"] = attributes(source, columns.values())


ENTRY = DatasetEntry(
    version=2,
    info=DatasetInfo(
        title="Table of images",
        licence="as its owner says",
        citation="",
        homepage="",
        label_space="",  # the labels that the table has
    ),
    read=read,
    options={"table": "metadata.csv", **dict.fromkeys(_FIELDS)},
)
