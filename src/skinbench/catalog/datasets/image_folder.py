"""A folder per class with images in it, as torchvision's ImageFolder reads.

`<root>/<class>/**/<name>.jpg`, or `<root>/<split>/<class>/...` where the folders of the root are
named train, val (or valid, validation) and test: such a split is used by `published: true`. An
image's id is its name without ending; names that several images share get their folders before
them: `train__nevus__0001`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from skinbench.catalog.datasets._cells import check_names
from skinbench.catalog.datasets._layout import index_files, require_folder
from skinbench.errors import DataError
from skinbench.records import DatasetEntry, DatasetInfo, RawDataset
from skinbench.records.entries import Options

_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def read(root: Path, options: Options) -> RawDataset:  # noqa: ARG001 - the contract of an adapter
    """Read the tree; the label is the class's folder name.

    Args:
        root: folder that holds the classes' folders.
        options: none are known.

    Raises:
        DataError: the root has no folder with images, or a name is hostile.
    """
    files, unused = _files(root)
    level = 1 if _has_splits(root, files) else 0
    table = pd.DataFrame(
        {
            "row": range(1, len(files) + 1),
            "image_id": _ids(files),
            "path": [str(file) for file in files],
            "label": [file.parts[level] for file in files],
        }
    )
    check_names(table, "image_id", root)
    check_names(table, "label", root)
    return RawDataset(table=table, unused_files=unused)


def published(root: Path, options: Options) -> pd.DataFrame:  # noqa: ARG001 - as above
    """The split that the folders say: columns image_id and split.

    Raises:
        DataError: the root's folders are no splits.
    """
    files, _ = _files(root)
    if not _has_splits(root, files):
        raise DataError(f"{root}: its folders are not train, val and test: no split comes with it")
    splits = [_SPLITS[file.parts[0].lower()] for file in files]
    return pd.DataFrame({"image_id": _ids(files), "split": splits})


def _files(root: Path) -> tuple[list[PurePosixPath], tuple[str, ...]]:
    """(images below a class, sorted; images that no class holds)."""
    require_folder(root, "image_folder")
    found = sorted(path for paths in index_files(root, depth=5).values() for path in paths)
    shown = [path for path in found if not any(p.startswith((".", "__")) for p in path.split("/"))]
    files = [PurePosixPath(path) for path in shown]
    level = 3 if _has_splits(root, files) else 2
    inside = [file for file in files if len(file.parts) >= level]
    if not inside:
        raise DataError(
            f"{root}: no image in a folder of its class, e.g. {root.name}/nevus/0001.jpg; "
            f"set root to the folder that holds the classes' folders"
        )
    return inside, tuple(str(file) for file in files if len(file.parts) < level)


def _has_splits(root: Path, files: list[PurePosixPath]) -> bool:
    """Whether the root's folders with images are all named as splits, train among them."""
    names = {file.parts[0] for file in files if len(file.parts) > 1}
    kinds = [_SPLITS.get(name.lower(), "") for name in sorted(names)]
    if len(set(kinds)) < len(kinds) and "" not in kinds:
        raise DataError(f"{root}: {', '.join(sorted(names))}: two folders mean the same split")
    return "train" in kinds and "" not in kinds


def _ids(files: list[PurePosixPath]) -> list[str]:
    times = Counter(file.stem for file in files)
    return [
        file.stem if times[file.stem] == 1 else "__".join((*file.parts[:-1], file.stem))
        for file in files
    ]


ENTRY = DatasetEntry(
    version=1,
    info=DatasetInfo(
        title="Folders of images",
        licence="as its owner says",
        citation="",
        homepage="",
        label_space="",  # the folders' names
    ),
    read=read,
    published=published,
)
