"""ISIC 2018 task 3 test set: 1,512 dermoscopic images, 7 diagnoses, no metadata.

Read as the challenge's two files unpack: `ISIC2018_Task3_Test_GroundTruth.csv` (one column per
class; in a folder of its own name or not) and the folder `ISIC2018_Task3_Test_Input`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from skinbench.catalog.datasets._cells import attributes, check_names, one_hot
from skinbench.catalog.datasets._layout import find_table, index_files, paths_of, unused_files
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.records import DatasetEntry, DatasetInfo, Download, RawDataset
from skinbench.records.entries import Options

_TITLE = "ISIC 2018 task 3 test"
_TRUTH = "ISIC2018_Task3_Test_GroundTruth.csv"
_COLUMNS = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout.

    Args:
        root: folder that holds the ground truth.
        options: none are known.

    Raises:
        DataError: the table is missing, a row is of no class or of several, or a cell is broken.
    """
    path = find_table(root, (_TRUTH,), _TITLE)
    source = read_table(path)
    require_columns(source, ("image", *_COLUMNS), path)
    check_names(source, "image", path)
    images = index_files(root, depth=3, skip="train")
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": source["image"],
            "path": paths_of(images, source["image"]),
            "label": one_hot(source, _COLUMNS, path),
            "attributes": attributes(source, ("image", *_COLUMNS)),
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, source["image"]))


_BUCKET = "https://isic-challenge-data.s3.amazonaws.com/2018"
_DOWNLOADS = tuple(
    Download(url=f"{_BUCKET}/{name}", file_name=name, unpack=True)
    for name in ("ISIC2018_Task3_Test_GroundTruth.zip", "ISIC2018_Task3_Test_Input.zip")
)
"""The challenge's bucket states neither sizes nor checksums: lengths are the server's."""


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_TITLE,
        licence="CC BY-NC 4.0",
        citation=(
            "Codella N et al. Skin lesion analysis toward melanoma detection 2018: A challenge "
            "hosted by the International Skin Imaging Collaboration (ISIC). arXiv:1902.03368 "
            "(2019); Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset. Sci Data 5, 180161 "
            "(2018), doi:10.1038/sdata.2018.161"
        ),
        homepage="https://challenge.isic-archive.com/data/#2018",
        attribution=(
            "ISIC 2018 task 3 test set; arXiv:1902.03368, doi:10.1038/sdata.2018.161; CC BY-NC 4.0"
        ),
        expected_images=1512,
        label_space="ham7",
        downloads=_DOWNLOADS,
    ),
    read=read,
)
