"""PAD-UFES-20: 2,298 smartphone images of 1,373 patients, 6 diagnoses, 26 columns.

Read as Mendeley Data unpacks it: `metadata.csv` and the images below `images/` (whole, or in
`imgs_part_1` to `3`), whatever their ending. The id is `img_id` without its ending. A lesion's id
is its patient's and its own number: 250 of the 1,641 numbers are given to two patients each, whose
lesions differ (226 of them in diagnosis, 242 in age).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

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

_TITLE = "PAD-UFES-20"
_USED = ("patient_id", "lesion_id", "age", "gender", "region", "diagnostic", "img_id")
_CLASSES = {"BCC": 845, "ACK": 730, "NEV": 244, "SEK": 235, "SCC": 192, "MEL": 52}
"""Images per diagnosis (Pacheco 2020, table 1); SCC holds Bowen's disease."""


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout.

    Args:
        root: folder that holds metadata.csv.
        options: none are known.

    Raises:
        DataError: the table is missing or a cell is broken.
    """
    path = find_table(root, ("metadata.csv",), _TITLE)
    source = read_table(path)
    require_columns(source, _USED, path)
    check_names(source, "img_id", path)
    ids = [PurePosixPath(name).stem for name in source["img_id"]]
    images = index_files(root, depth=4)
    patients, lesions = known_text(source["patient_id"]), known_text(source["lesion_id"])
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": ids,
            "path": paths_of(images, ids),
            "label": source["diagnostic"],
            "lesion_id": [
                f"{patient}_{lesion}" if patient and lesion else None
                for patient, lesion in zip(patients, lesions, strict=True)
            ],
            "patient_id": patients,
            "age": known_age(source, "age", path),
            "sex": known_sex(source["gender"]),
            "site": known_text(source["region"]),
            "attributes": attributes(source, _USED),
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, ids))


_MENDELEY = "https://data.mendeley.com/public-files/datasets/zr7vgbcyr2/files"
_DOWNLOADS = (
    Download(
        url=f"{_MENDELEY}/fa850265-57da-48f0-ba3e-998b3e44b1f6/file_downloaded",
        file_name="metadata.csv",
        bytes=316_209,
        digest="sha256:14d145235cedb022548257acb0d84dcd949e2c916f65d2baa7c38ed5339e9527",
    ),
    Download(
        url=f"{_MENDELEY}/1cc2f71f-20a2-412d-b746-a9b9bc20c966/file_downloaded",
        file_name="imgs_part_1.zip",
        bytes=1_245_184_680,
        digest="sha256:0ab44f60938bf57445e12f518a8878954cc734e6b0aec6d01194e2d26b4b2dca",
        into="images",
        unpack=True,
    ),
    Download(
        url=f"{_MENDELEY}/559a60ed-5504-475d-996c-6a8bc253b5e7/file_downloaded",
        file_name="imgs_part_2.zip",
        bytes=1_126_646_990,
        digest="sha256:e2d9a3cbd58e823f5ae33163c48643e7d1b54ae3f9e145f01f8e9f16a363a60b",
        into="images",
        unpack=True,
    ),
    Download(
        url=f"{_MENDELEY}/34dcdf8e-e5f1-4b35-aa0b-5135051ff852/file_downloaded",
        file_name="imgs_part_3.zip",
        bytes=1_220_565_093,
        digest="sha256:ecc4ef10143a43e1d01cb736773148607a78b530417eb76f2c38ad24bf5d0d2c",
        into="images",
        unpack=True,
    ),
)
"""Version 1 of doi:10.17632/zr7vgbcyr2; Mendeley Data states the SHA-256 of every file."""


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_TITLE,
        licence="CC BY 4.0",
        citation=(
            "Pacheco AGC et al. PAD-UFES-20: A skin lesion dataset composed of patient data and "
            "clinical images collected from smartphones. Data in Brief 32, 106221 (2020). "
            "doi:10.1016/j.dib.2020.106221; data: doi:10.17632/zr7vgbcyr2.1"
        ),
        homepage="https://doi.org/10.17632/zr7vgbcyr2.1",
        attribution="PAD-UFES-20, Pacheco et al. 2020, doi:10.17632/zr7vgbcyr2.1; CC BY 4.0",
        expected_images=2298,
        expected_classes=_CLASSES,
        label_space="",  # the diagnoses that the table has
        downloads=_DOWNLOADS,
    ),
    read=read,
)
