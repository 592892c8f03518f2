"""ISIC 2019 training set: 25,331 dermoscopic images, 8 diagnoses; holds all of HAM10000.

Read as the challenge's three files unpack: `ISIC_2019_Training_GroundTruth.csv` (one column per
class), `ISIC_2019_Training_Metadata.csv` and the folder `ISIC_2019_Training_Input`. Ids that end
in `_downsampled` keep their ending; 2,084 images have no lesion id. `source` is what a lesion id
begins with (BCN, HAM, MSK), and `unknown` for images without one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from skinbench.catalog.datasets._cells import (
    attributes,
    check_names,
    known_age,
    known_sex,
    known_text,
    one_hot,
)
from skinbench.catalog.datasets._layout import find_table, index_files, paths_of, unused_files
from skinbench.catalog.datasets._tables import read_table, require_columns, rows_by_id
from skinbench.records import DatasetEntry, DatasetInfo, Download, RawDataset
from skinbench.records.entries import Options

_TITLE = "ISIC 2019"
_TRUTH = "ISIC_2019_Training_GroundTruth.csv"
_METADATA = "ISIC_2019_Training_Metadata.csv"
_CLASSES = {
    "MEL": 4522, "NV": 12875, "BCC": 3323, "AK": 867, "BKL": 2624, "DF": 239, "VASC": 253,
    "SCC": 628,
}  # fmt: skip
"""Images per class in the official ground truth; none is UNK."""
_COLUMNS = (*_CLASSES, "UNK")
_METADATA_COLUMNS = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")
_SOURCE = re.compile(r"(BCN|HAM|MSK)\d*_")


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout.

    Args:
        root: folder that holds both tables.
        options: none are known.

    Raises:
        DataError: a table is missing, a row is of no class or of several, the tables do not
            list the same images, or a cell is broken.
    """
    truth_path = find_table(root, (_TRUTH,), _TITLE)
    path = find_table(root, (_METADATA,), _TITLE)
    truth, metadata = read_table(truth_path), read_table(path)
    require_columns(truth, ("image", *_COLUMNS), truth_path)
    require_columns(metadata, _METADATA_COLUMNS, path)
    check_names(truth, "image", truth_path)
    source = rows_by_id(truth, truth_path, metadata, path, "image")
    images = index_files(root, depth=3, skip="test")
    lesions = known_text(source["lesion_id"])
    table = pd.DataFrame(
        {
            "row": truth["row"],
            "image_id": truth["image"],
            "path": paths_of(images, truth["image"]),
            "label": one_hot(truth, _COLUMNS, truth_path),
            "lesion_id": lesions,
            "age": known_age(source, "age_approx", path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["anatom_site_general"]),
            "source": [_source(lesion) for lesion in lesions],
            "attributes": attributes(source, _METADATA_COLUMNS),
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, truth["image"]))


def _source(lesion: str | None) -> str:
    found = _SOURCE.match(lesion or "")
    return found[1] if found else "unknown"


_BUCKET = "https://isic-challenge-data.s3.amazonaws.com/2019"
_DOWNLOADS = (
    Download(url=f"{_BUCKET}/{_TRUTH}", file_name=_TRUTH),
    Download(url=f"{_BUCKET}/{_METADATA}", file_name=_METADATA),
    Download(
        url=f"{_BUCKET}/ISIC_2019_Training_Input.zip",
        file_name="ISIC_2019_Training_Input.zip",
        unpack=True,
    ),
)
"""The challenge's bucket states neither sizes nor checksums: lengths are the server's."""


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_TITLE,
        licence="CC BY-NC 4.0",
        citation=(
            "ISIC 2019: Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset. Sci Data 5, "
            "180161 (2018), doi:10.1038/sdata.2018.161; Codella N et al. Skin lesion analysis "
            "toward melanoma detection. arXiv:1710.05006 (2017); Combalia M et al. BCN20000: "
            "Dermoscopic lesions in the wild. arXiv:1908.02288 (2019)"
        ),
        homepage="https://challenge.isic-archive.com/data/#2019",
        attribution=(
            "ISIC 2019: BCN_20000, Department of Dermatology, Hospital Clínic de Barcelona; "
            "HAM10000, ViDIR Group, Medical University of Vienna, doi:10.1038/sdata.2018.161; "
            "MSK, arXiv:1710.05006, arXiv:1902.03368; CC BY-NC 4.0"
        ),
        expected_images=25331,
        expected_classes=_CLASSES,
        label_space="isic8",
        downloads=_DOWNLOADS,
    ),
    read=read,
)
