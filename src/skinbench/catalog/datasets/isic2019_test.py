"""ISIC 2019 test set: 8,238 dermoscopic images, 8 diagnoses, and UNK for none of them.

Read as the challenge's three files unpack: `ISIC_2019_Test_GroundTruth.csv` (one column per class,
and UNK: a diagnosis that the training set does not have), `ISIC_2019_Test_Metadata.csv` and the
folder `ISIC_2019_Test_Input`. The tables name no lesions, so images of one lesion cannot be kept
together. It holds the test set of ISIC 2018 task 3.
"""

from __future__ import annotations

from pathlib import Path

from skinbench.catalog.datasets._isic2019 import CITATION, Part, read_part
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options

_PART = Part(
    title="ISIC 2019 test",
    name="Test",
    metadata=("image", "age_approx", "anatom_site_general", "sex"),
    other="train",
)


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout; the scorer's weights in the ground truth are left aside.

    Args:
        root: folder that holds both tables.
        options: none are known.

    Raises:
        DataError: a table is missing, a row is of no class or of several, the tables do not
            list the same images, or a cell is broken.
    """
    table, _, unused = read_part(root, _PART)
    return RawDataset(table=table, unused_files=unused)


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title=_PART.title,
        licence="CC BY-NC 4.0",
        citation=CITATION,
        homepage="https://challenge.isic-archive.com/data/#2019",
        attribution=(
            "ISIC 2019 test set; arXiv:1908.02288, doi:10.1038/sdata.2018.161, arXiv:1902.03368; "
            "CC BY-NC 4.0"
        ),
        expected_images=8238,
        label_space="isic8",
        downloads=_PART.downloads,
    ),
    read=read,
)
