"""ISIC 2019 training set: 25,331 dermoscopic images, 8 diagnoses; holds all of HAM10000.

Read as the challenge's three files unpack: `ISIC_2019_Training_GroundTruth.csv` (one column per
class), `ISIC_2019_Training_Metadata.csv` and the folder `ISIC_2019_Training_Input`. Ids that end
in `_downsampled` keep their ending; 2,084 images have no lesion id. `source` is what a lesion id
begins with (BCN, HAM, MSK), and `unknown` for images without one.
"""

from __future__ import annotations

import re
from pathlib import Path

from skinbench.catalog.datasets._cells import known_text
from skinbench.catalog.datasets._isic2019 import CITATION, Part, read_part
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options

_CLASSES = {
    "MEL": 4522, "NV": 12875, "BCC": 3323, "AK": 867, "BKL": 2624, "DF": 239, "VASC": 253,
    "SCC": 628,
}  # fmt: skip
"""Images per class in the official ground truth; none is UNK."""
_PART = Part(
    title="ISIC 2019",
    name="Training",
    metadata=("image", "age_approx", "anatom_site_general", "lesion_id", "sex"),
    other="test",
)
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
    table, source, unused = read_part(root, _PART)
    lesions = known_text(source["lesion_id"])
    named = table.assign(lesion_id=lesions, source=[_source(lesion) for lesion in lesions])
    return RawDataset(table=named, unused_files=unused)


def _source(lesion: str | None) -> str:
    found = _SOURCE.match(lesion or "")
    return found[1] if found else "unknown"


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_PART.title,
        licence="CC BY-NC 4.0",
        citation=CITATION,
        homepage="https://challenge.isic-archive.com/data/#2019",
        attribution=(
            "ISIC 2019: BCN_20000, Department of Dermatology, Hospital Clínic de Barcelona; "
            "HAM10000, ViDIR Group, Medical University of Vienna, doi:10.1038/sdata.2018.161; "
            "MSK, arXiv:1710.05006, arXiv:1902.03368; CC BY-NC 4.0"
        ),
        expected_images=25331,
        expected_classes=_CLASSES,
        label_space="isic8",
        downloads=_PART.downloads,
    ),
    read=read,
)
