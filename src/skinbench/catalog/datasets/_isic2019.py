"""The layout that both sets of ISIC 2019 unpack to: a one-hot truth, a metadata table, images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from skinbench.records import Download

_BUCKET = "https://isic-challenge-data.s3.amazonaws.com/2019"
COLUMNS = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
"""Columns of the ground truth, one a diagnosis."""
CITATION = (
    "ISIC 2019: Tschandl P, Rosendahl C, Kittler H. The HAM10000 dataset. Sci Data 5, "
    "180161 (2018), doi:10.1038/sdata.2018.161; Codella N et al. Skin lesion analysis "
    "toward melanoma detection. arXiv:1710.05006 (2017); Combalia M et al. BCN20000: "
    "Dermoscopic lesions in the wild. arXiv:1908.02288 (2019)"
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The training or the test set."""

    title: str
    name: str
    """As in its files: `Training` or `Test`."""
    metadata: Sequence[str]
    """Columns of its metadata table."""
    other: str
    """What the folders of the other set's images have in their names."""

    @property
    def truth_file(self) -> str:
        """Name of the ground truth."""
        return f"ISIC_2019_{self.name}_GroundTruth.csv"

    @property
    def metadata_file(self) -> str:
        """Name of the metadata table."""
        return f"ISIC_2019_{self.name}_Metadata.csv"

    @property
    def downloads(self) -> tuple[Download, ...]:
        """The challenge's bucket states neither sizes nor checksums: lengths are the server's."""
        images = f"ISIC_2019_{self.name}_Input.zip"
        return (
            Download(url=f"{_BUCKET}/{self.truth_file}", file_name=self.truth_file),
            Download(url=f"{_BUCKET}/{self.metadata_file}", file_name=self.metadata_file),
            Download(url=f"{_BUCKET}/{images}", file_name=images, unpack=True),
        )


def read_part(root: Path, part: Part) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Read a set in its official layout; the scorer's weights in the truth are left aside.

    Returns:
        The columns that both sets have, the metadata rows in the same order, and files of no row.

    Raises:
        DataError: a table is missing, a row is of no class or of several, the tables do not
            list the same images, or a cell is broken.
    """
    truth_path = find_table(root, (part.truth_file,), part.title)
    path = find_table(root, (part.metadata_file,), part.title)
    truth, metadata = read_table(truth_path), read_table(path)
    require_columns(truth, ("image", *COLUMNS), truth_path)
    require_columns(metadata, part.metadata, path)
    check_names(truth, "image", truth_path)
    source = rows_by_id(truth, truth_path, metadata, path, "image")
    images = index_files(root, depth=3, skip=part.other)
    table = pd.DataFrame(
        {
            "row": truth["row"],
            "image_id": truth["image"],
            "path": paths_of(images, truth["image"]),
            "label": one_hot(truth, COLUMNS, truth_path),
            "age": known_age(source, "age_approx", path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["anatom_site_general"]),
            "attributes": attributes(source, part.metadata),
        }
    )
    return table, source, unused_files(images, truth["image"])
