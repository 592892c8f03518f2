"""HAM10000: 10,015 dermoscopic images of 7,470 pigmented lesions, 7 diagnoses.

Read as Kaggle or Harvard Dataverse (doi:10.7910/DVN/DBW86T) unpack it: the metadata table as
`HAM10000_metadata` with or without an ending, the images in one folder, in two parts, or beside
the table, in any letter case; lesion masks where `HAM10000_segmentations_lesion_tschandl` is.
`source` is the column `dataset` of newer tables (rosendahl, vidir_modern, vidir_molemax,
vienna_dias): where the image was taken. Older tables don't say.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from skinbench.catalog.datasets._cells import (
    attributes,
    check_names,
    known_age,
    known_sex,
    known_text,
)
from skinbench.catalog.datasets._layout import find_table, index_files, paths_of, unused_files
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.records import DatasetEntry, DatasetInfo, Download, RawDataset
from skinbench.records.entries import Options

_TITLE = "HAM10000"
_TABLE_NAMES = tuple(
    "HAM10000_metadata" + ending for ending in (".csv", "", ".tab", ".tsv", ".txt")
)
_MASKS = "ham10000_segmentations_lesion_tschandl"
_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
_CLASSES = {
    "akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142,
}  # fmt: skip
"""Images per class (Tschandl 2018, table 1)."""


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout.

    Args:
        root: folder that holds the metadata table.
        options: none are known.

    Raises:
        DataError: the folder or the table is missing, or a cell is broken.
    """
    table_path = find_table(root, _TABLE_NAMES, _TITLE)
    source = read_table(table_path)
    require_columns(source, _COLUMNS, table_path)
    check_names(source, "image_id", table_path)
    images = index_files(root, depth=3, skip="segmentation")
    masks = _find_masks(root)
    keys = [image_id.lower() for image_id in source["image_id"]]
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": source["image_id"],
            # Kaggle's archive holds each part twice, in two letter cases: the first serves.
            "path": paths_of(images, keys),
            "label": [None if label is None else label.lower() for label in source["dx"]],
            "lesion_id": known_text(source["lesion_id"]),
            "age": known_age(source, "age", table_path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["localization"]),
            "source": known_text(source["dataset"]) if "dataset" in source else None,
            "dx_type": known_text(source["dx_type"]),
            "attributes": attributes(source, (*_COLUMNS, "dataset")),
            "mask_path": [masks.get(key) for key in keys],
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, keys))


def _find_masks(root: Path) -> dict[str, str]:
    folders = [path for path in sorted(root.iterdir()) if path.name.lower() == _MASKS]
    if not folders:
        return {}
    suffix = "_segmentation"
    return {
        stem.removesuffix(suffix): f"{folders[0].name}/{paths[0]}"
        for stem, paths in index_files(folders[0], depth=1).items()
        if stem.endswith(suffix)
    }


_DATAVERSE = "https://dataverse.harvard.edu/api/access/datafile"
_DOWNLOADS = (
    Download(
        url=f"{_DATAVERSE}/4338392?format=original",  # else a conversion with other bytes
        file_name="HAM10000_metadata.csv",
        bytes=690_218,
        digest="md5:8f85fb1aa29d80a2797247e434deb79d",
    ),
    Download(
        url=f"{_DATAVERSE}/3172585",
        file_name="HAM10000_images_part_1.zip",
        bytes=1_366_522_108,
        digest="md5:4639bfa73ab251610530a97c898e6e46",
        into="HAM10000_images_part_1",
        unpack=True,
    ),
    Download(
        url=f"{_DATAVERSE}/3172584",
        file_name="HAM10000_images_part_2.zip",
        bytes=1_403_566_547,
        digest="md5:da43d6cc50f6613013be07e8986b384b",
        into="HAM10000_images_part_2",
        unpack=True,
    ),
    Download(
        url=f"{_DATAVERSE}/3838943",
        file_name="HAM10000_segmentations_lesion_tschandl.zip",
        bytes=10_808_743,
        digest="md5:6e8d252e09cfdb0189199f15985a5b84",
        unpack=True,
    ),
)
"""Version 4.0 of doi:10.7910/DVN/DBW86T; Dataverse states the MD5 of every file."""


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_TITLE,
        licence="CC BY-NC 4.0",
        citation=(
            "Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset, a large collection of "
            "multi-source dermatoscopic images of common pigmented skin lesions. "
            "Sci Data 5, 180161 (2018). doi:10.1038/sdata.2018.161"
        ),
        homepage="https://doi.org/10.7910/DVN/DBW86T",
        attribution=(
            "HAM10000, ViDIR Group, Medical University of Vienna; Tschandl, Rosendahl, "
            "Kittler 2018, doi:10.1038/sdata.2018.161; CC BY-NC 4.0"
        ),
        expected_images=10015,
        expected_classes=_CLASSES,
        label_space="ham7",
        downloads=_DOWNLOADS,
    ),
    read=read,
)
