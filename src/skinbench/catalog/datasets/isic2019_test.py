"""ISIC 2019 test set: 8,238 dermoscopic images, 8 diagnoses, and UNK for none of them.

Read as the challenge's three files unpack: `ISIC_2019_Test_GroundTruth.csv` (one column per class,
and UNK: a diagnosis that the training set does not have), `ISIC_2019_Test_Metadata.csv` and the
folder `ISIC_2019_Test_Input`. The tables name no lesions, so images of one lesion cannot be kept
together. It holds the test set of ISIC 2018 task 3.
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
    one_hot,
)
from skinbench.catalog.datasets._layout import find_table, index_files, paths_of, unused_files
from skinbench.catalog.datasets._tables import read_table, require_columns, rows_by_id
from skinbench.records import DatasetEntry, DatasetInfo, Download, RawDataset
from skinbench.records.entries import Options

_TITLE = "ISIC 2019 test"
_TRUTH = "ISIC_2019_Test_GroundTruth.csv"
_METADATA = "ISIC_2019_Test_Metadata.csv"
_COLUMNS = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
_METADATA_COLUMNS = ("image", "age_approx", "anatom_site_general", "sex")


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout; the scorer's weights in the ground truth are left aside.

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
    images = index_files(root, depth=3, skip="train")
    table = pd.DataFrame(
        {
            "row": truth["row"],
            "image_id": truth["image"],
            "path": paths_of(images, truth["image"]),
            "label": one_hot(truth, _COLUMNS, truth_path),
            "age": known_age(source, "age_approx", path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["anatom_site_general"]),
            "attributes": attributes(source, _METADATA_COLUMNS),
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, truth["image"]))


_BUCKET = "https://isic-challenge-data.s3.amazonaws.com/2019"
_DOWNLOADS = (
    Download(url=f"{_BUCKET}/{_TRUTH}", file_name=_TRUTH),
    Download(url=f"{_BUCKET}/{_METADATA}", file_name=_METADATA),
    Download(
        url=f"{_BUCKET}/ISIC_2019_Test_Input.zip", file_name="ISIC_2019_Test_Input.zip", unpack=True
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
            "ISIC 2019 test set; arXiv:1908.02288, doi:10.1038/sdata.2018.161, arXiv:1902.03368; "
            "CC BY-NC 4.0"
        ),
        expected_images=8238,
        label_space="isic8",
        downloads=_DOWNLOADS,
    ),
    read=read,
)
