"""PAD-UFES-20: 2,298 smartphone images of 1,641 lesions, 6 diagnoses, 26 metadata columns.

Read as Mendeley Data unpacks it: `metadata.csv` and the images below `images/` (whole, or in
`imgs_part_1` to `3`), whatever their ending. The id is `img_id` without its ending. Lesion
numbers are not unique over patients: a lesion's id is its patient's and its own.
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
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
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
    ),
    read=read,
)
