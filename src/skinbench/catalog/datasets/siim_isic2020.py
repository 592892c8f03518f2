"""SIIM-ISIC 2020 training set: 33,126 dermoscopic images of 2,056 patients, 584 melanomas.

Read as Kaggle (`train.csv`) or the challenge (`ISIC_2020_Training_GroundTruth.csv`) give it, the
images in any folder whose name does not say test. `ISIC_2020_Training_GroundTruth_v2.csv` adds
lesion ids, `ISIC_2020_Training_Duplicates.csv` the pairs that the challenge calls duplicates.

The label is the column `diagnosis`: 27,124 images are benign and else `unknown`, a label of its
own. Two images of a listed pair are one lesion: eight pairs have two lesion ids in the table,
and the smaller serves for both; where no table has lesion ids, a pair's smaller image id does.
The other image id of a pair is the attribute `duplicate_of`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from skinbench.catalog.datasets._cells import (
    attributes,
    check_names,
    known_age,
    known_sex,
    known_text,
)
from skinbench.catalog.datasets._layout import (
    find_further_table,
    find_table,
    index_files,
    paths_of,
    unused_files,
)
from skinbench.catalog.datasets._tables import read_table, require_columns, rows_by_id
from skinbench.errors import DataError
from skinbench.records import DatasetEntry, DatasetInfo, Download, RawDataset
from skinbench.records.entries import Options

_TITLE = "SIIM-ISIC 2020"
_TABLES = (
    "train.csv",
    "ISIC_2020_Training_GroundTruth.csv",
    "ISIC_2020_Training_GroundTruth_v2.csv",
)
_LESIONS = "ISIC_2020_Training_GroundTruth_v2.csv"
_DUPLICATES = "ISIC_2020_Training_Duplicates.csv"
_PAIR = ("image_name_1", "image_name_2")
_USED = (
    "image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge", "diagnosis",
)  # fmt: skip
_COLUMNS = (*_USED, "benign_malignant", "target")
_CLASSES = {
    "unknown": 27124, "nevus": 5193, "melanoma": 584, "seborrheic keratosis": 135,
    "lentigo NOS": 44, "lichenoid keratosis": 37, "solar lentigo": 7, "cafe-au-lait macule": 1,
    "atypical melanocytic proliferation": 1,
}  # fmt: skip
"""Images per diagnosis in the official table."""


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the official layout.

    Args:
        root: folder that holds the table.
        options: none are known.

    Raises:
        DataError: the table is missing; tables do not list the same images; diagnosis, target
            and benign_malignant contradict each other; or a cell is broken.
    """
    path = find_table(root, _TABLES, _TITLE)
    source = read_table(path)
    require_columns(source, _COLUMNS, path)
    check_names(source, "image_name", path)
    lesions_path = find_further_table(root, (_LESIONS,))
    if lesions_path is not None and lesions_path != path:
        further = rows_by_id(source, path, _lesion_table(lesions_path), lesions_path, "image_name")
        new = [name for name in further.columns if name not in source.columns]
        source = pd.concat([source, further[new]], axis=1)
    pairs = _pairs(find_further_table(root, (_DUPLICATES,)), set(source["image_name"]))
    source["duplicate_of"] = pd.Series(_partners(pairs, source["image_name"]), dtype=object)
    lesions = known_text(source["lesion_id"]) if "lesion_id" in source else None
    images = index_files(root, depth=3, skip="test")
    table = pd.DataFrame(
        {
            "row": source["row"],
            "image_id": source["image_name"],
            "path": paths_of(images, source["image_name"]),
            "label": _labels(source, path),
            "lesion_id": _joined(source["image_name"], lesions, pairs),
            "patient_id": known_text(source["patient_id"]),
            "age": known_age(source, "age_approx", path),
            "sex": known_sex(source["sex"]),
            "site": known_text(source["anatom_site_general_challenge"]),
            "attributes": attributes(source, (*_USED, "lesion_id")),
        }
    )
    return RawDataset(table=table, unused_files=unused_files(images, source["image_name"]))


def _lesion_table(path: Path) -> pd.DataFrame:
    table = read_table(path)
    require_columns(table, ("image_name", "lesion_id"), path)
    return table


def _labels(source: pd.DataFrame, path: Path) -> list[str | None]:
    """The diagnosis; a malignant lesion without one is a melanoma: there is no other here."""
    labels: list[str | None] = []
    columns = (source[name] for name in ("row", "diagnosis", "benign_malignant", "target"))
    for row, diagnosis, word, target in zip(*columns, strict=True):
        if (word, target) not in {("malignant", "1"), ("benign", "0")}:
            raise DataError(
                f"{path}: row {row}: benign_malignant {word!r} and target {target!r}: expected "
                f"malignant and 1, or benign and 0"
            )
        label = diagnosis or "unknown"
        if word == "malignant" and label == "unknown":
            label = "melanoma"
        if (label == "melanoma") != (word == "malignant"):
            raise DataError(f"{path}: row {row}: diagnosis {diagnosis!r} contradicts {word}")
        labels.append(label)
    return labels


def _pairs(path: Path | None, known: set[str]) -> list[tuple[str, str]]:
    if path is None:
        return []
    table = read_table(path)
    require_columns(table, _PAIR, path)
    for name in _PAIR:
        for row, value in zip(table["row"], table[name], strict=True):
            if value not in known:
                raise DataError(f"{path}: row {row}: {name} {value!r} is no image of the table")
    return list(zip(table[_PAIR[0]], table[_PAIR[1]], strict=True))


def _partners(pairs: list[tuple[str, str]], ids: Iterable[str]) -> list[str | None]:
    partners = {**{b: a for a, b in reversed(pairs)}, **dict(reversed(pairs))}
    return [partners.get(image_id) for image_id in ids]


def _joined(
    ids: pd.Series, lesions: pd.Series | None, pairs: list[tuple[str, str]]
) -> list[str | None]:
    """Lesion id per image; those that a pair joins, through any number of pairs, are one."""
    given = list(lesions) if lesions is not None else [None] * len(ids)
    lesion_of = dict(zip(ids, given, strict=True))
    parent: dict[str, str] = {}

    def smallest(name: str) -> str:
        while name in parent:
            name = parent[name]
        return name

    for pair in pairs:
        ends = sorted({smallest(lesion_of[image_id] or image_id) for image_id in pair})
        if len(ends) == 2:
            parent[ends[1]] = ends[0]
    paired = {image_id for pair in pairs for image_id in pair}
    names = [
        lesion or (image_id if image_id in paired else None)
        for image_id, lesion in lesion_of.items()
    ]
    joined = {i: smallest(name) if name else None for i, name in zip(lesion_of, names, strict=True)}
    return [joined[image_id] for image_id in ids]


_BUCKET = "https://isic-challenge-data.s3.amazonaws.com/2020"
_DOWNLOADS = (
    *(
        Download(url=f"{_BUCKET}/{name}", file_name=name)
        for name in ("ISIC_2020_Training_GroundTruth.csv", _LESIONS, _DUPLICATES)
    ),
    Download(
        url=f"{_BUCKET}/ISIC_2020_Training_JPEG.zip",
        file_name="ISIC_2020_Training_JPEG.zip",
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
            "Rotemberg V et al. A patient-centric dataset of images and metadata for identifying "
            "melanomas using clinical context. Sci Data 8, 34 (2021). "
            "doi:10.1038/s41597-021-00815-z; data: doi:10.34970/2020-ds01"
        ),
        homepage="https://challenge2020.isic-archive.com/",
        attribution=(
            "SIIM-ISIC 2020, International Skin Imaging Collaboration, doi:10.34970/2020-ds01; "
            "CC BY-NC 4.0"
        ),
        expected_images=33126,
        expected_classes=_CLASSES,
        label_space="melanoma",  # the challenge's target
        downloads=_DOWNLOADS,
        download_note="the images are 23 GB, packed and unpacked 46 GB",
    ),
    read=read,
)
