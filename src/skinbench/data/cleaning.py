"""What is wrong with a dataset's rows and files, and what the policy does about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.assign import hold_out
from skinbench.data.images import ImageFacts
from skinbench.errors import DataError, UsageError
from skinbench.records import CleaningFinding, CleaningPolicy

_ALLOWED = {
    "missing_file": ("error", "quarantine"),
    "unreadable": ("error", "quarantine"),
    "duplicate_id": ("error", "quarantine"),
    "duplicate_file": ("error", "quarantine", "keep"),
    "contradictory": ("error", "quarantine", "keep"),
    "null_metadata": ("error", "quarantine", "impute"),
}
_METADATA = ("age", "sex", "site")
_SHOWN = 5
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Cleaner:
    """A dataset's rows on their way to the manifest; findings gather as steps are taken."""

    name: str
    """Key under `data:` in the suite."""
    policy: CleaningPolicy
    findings: list[CleaningFinding] = field(default_factory=list)

    def apply(
        self, table: pd.DataFrame, kind: str, bad: Mask, what: str, drop: Mask | None = None
    ) -> pd.DataFrame:
        """Note a defect and do what the policy says.

        Args:
            table: rows so far.
            kind: field name of CleaningPolicy.
            bad: rows concerned [N].
            what: the defect in words.
            drop: rows that `quarantine` drops [N]; `bad` where None.

        Raises:
            DataError: the policy is `error`.
        """
        if not bad.any():
            return table
        policy = getattr(self.policy, kind)
        drop = bad if drop is None else drop
        items = tuple(table.loc[bad, "image_id"])
        if policy == "error":
            others = " or ".join(way for way in _ALLOWED[kind] if way != "error")
            raise DataError(
                f"data '{self.name}': {_rows(len(items))} with {what}: {_first(items)}; "
                f"set data.{self.name}.cleaning.{kind} to {others} to go on without an error"
            )
        outcome = {
            "quarantine": f"{_rows(int(drop.sum()))} left out",
            "impute": "filled from the training split",
            "keep": "kept",
        }[policy]
        self.findings.append(
            CleaningFinding(
                kind=kind,
                policy=policy,
                count=len(items),
                message=f"{_rows(len(items))} with {what}: {outcome}",
                items=items,
            )
        )
        return table[~drop].reset_index(drop=True) if policy == "quarantine" else table


def check_policy(name: str, policy: CleaningPolicy) -> None:
    """Check that each kind of defect has a policy that makes sense for it.

    Raises:
        UsageError: names the key and the allowed values.
    """
    for item in fields(policy):
        value = getattr(policy, item.name)
        if value not in _ALLOWED[item.name]:
            raise UsageError(
                f"data.{name}.cleaning.{item.name}: {value} is not possible here; "
                f"allowed: {', '.join(_ALLOWED[item.name])}"
            )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def _first(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")


def drop_duplicate_ids(cleaner: Cleaner, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of one image_id: the first of equal rows stays, of unequal rows none does."""
    repeated = table["image_id"].duplicated(keep=False).to_numpy()
    drop = repeated.copy()
    compared = [name for name in table.columns if name != "row"]
    for _, rows in table[repeated].groupby("image_id", sort=False):
        if len(rows[compared].astype(str).drop_duplicates()) == 1:
            drop[rows.index[0]] = False
    return cleaner.apply(table, "duplicate_id", repeated, "an image_id that others have too", drop)


def drop_missing_files(cleaner: Cleaner, table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Rows whose image is no file below root.

    Raises:
        DataError: a link leads out of root, or no row at all has its image.
    """
    confined = Confined(root, cleaner.name)
    present = np.array([bool(path) and confined.is_file(path) for path in table["path"]], bool)
    if len(table) and not present.any():
        raise DataError(
            f"data '{cleaner.name}': none of {len(table):,} rows has its image below {root}; "
            f"set data.{cleaner.name}.root to the folder that holds the images"
        )
    if "mask_path" in table:
        masks = [p if p and confined.is_file(p) else None for p in table["mask_path"]]
        table = table.assign(mask_path=pd.Series(masks, dtype=object, index=table.index))
    return cleaner.apply(table, "missing_file", ~present, "no image file")


class Confined:
    """Which relative paths are regular files inside a root, links included.

    A folder's real place is looked up once: 10,000 images cost 10,000 lstat calls, no more.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root.resolve(), name
        self._folders: dict[Path, bool] = {}

    def is_file(self, relative: str) -> bool:
        """Whether a relative path is such a file.

        Raises:
            DataError: it is a link, or below a link, that leads out of the root.
        """
        try:
            status = os.lstat(f"{self._root}/{relative}")
        except OSError:
            return False
        path = self._root / relative
        linked = stat.S_ISLNK(status.st_mode)
        real = path.resolve() if linked else path
        if not self._inside(real.parent):
            raise DataError(
                f"data '{self._name}': {relative} is a link that leads out of {self._root}; "
                f"copy the files, or set data.{self._name}.root to the real folder"
            )
        return real.is_file() if linked else stat.S_ISREG(status.st_mode)

    def _inside(self, folder: Path) -> bool:
        if folder not in self._folders:
            self._folders[folder] = folder.resolve().is_relative_to(self._root)
        return self._folders[folder]


def treat_null_metadata(cleaner: Cleaner, table: pd.DataFrame) -> pd.DataFrame:
    """Rows without age, sex or site, of those that the dataset has at all."""
    used = [name for name in _METADATA if name in table and table[name].notna().any()]
    if not used:
        return table
    empty = table[used].isna()
    counts = ", ".join(f"{name} {int(empty[name].sum()):,}" for name in used if empty[name].any())
    bad = empty.any(axis=1).to_numpy()
    return cleaner.apply(table, "null_metadata", bad, f"missing metadata ({counts})")


def take_sample(table: pd.DataFrame, sample: int | None) -> pd.DataFrame:
    """About `sample` rows in whole groups, with the class shares of all; the same every time."""
    if sample is None or sample >= len(table):
        return table
    labels = table["label"].map(lambda label: label if label is not None else "")
    classes = np.unique(labels.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    groups = np.unique(table["group_id"].to_numpy(dtype=str), return_inverse=True)[1]
    wanted = np.bincount(classes).astype(np.float64) * (sample / len(table))
    chosen = hold_out(classes, groups.astype(np.int64), wanted, np.random.default_rng(0))
    return table[chosen].reset_index(drop=True)


def add_file_facts(
    cleaner: Cleaner, table: pd.DataFrame, facts: Sequence[ImageFacts]
) -> pd.DataFrame:
    """Add digest and size of each file; treat unreadable, contradictory and repeated ones."""
    table = table.assign(
        file_digest=[fact.digest for fact in facts],
        pixel_digest=[fact.pixels for fact in facts],
        width=[fact.width for fact in facts],
        height=[fact.height for fact in facts],
    )
    broken = np.array([bool(fact.problem) for fact in facts], bool)
    first = next((fact.problem for fact in facts if fact.problem), "")
    what = f"a file that does not decode (first: {first})"
    table = cleaner.apply(table, "unreadable", broken, what)
    labels = table.groupby("file_digest")["label"].transform("nunique")
    what = "a file that others have too, under another label"
    contradictory = (labels > 1).to_numpy(dtype=bool)
    table = cleaner.apply(table, "contradictory", contradictory, what)
    repeated = table["file_digest"].duplicated(keep=False).to_numpy()
    later = table["file_digest"].duplicated(keep="first").to_numpy()
    what = "a file that others have too, byte by byte"
    return cleaner.apply(table, "duplicate_file", repeated, what, later)


def group_ids(table: pd.DataFrame) -> list[str]:
    """Lesion id, else `patient:` and the patient id, else `image:` and the image id."""
    empty = [None] * len(table)
    lesions, patients = table.get("lesion_id", empty), table.get("patient_id", empty)
    return [
        lesion if lesion else f"patient:{patient}" if patient else f"image:{image}"
        for image, lesion, patient in zip(table["image_id"], lesions, patients, strict=True)
    ]
