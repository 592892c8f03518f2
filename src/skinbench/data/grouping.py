"""What is never divided between splits: an image, a lesion's images, a patient's, a source's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.assign import Ints
from skinbench.data.components import components
from skinbench.data.split_tables import bare_id
from skinbench.errors import DataError, UsageError
from skinbench.records import Manifest, Pair

GROUPS = ("image", "lesion", "patient", "source")


def group_indices(
    name: str, dataset: str, table: pd.DataFrame, group: str
) -> tuple[Ints, tuple[str, ...]]:
    """Which rows are never divided between splits.

    Args:
        name: key under `splits:`, for messages.
        dataset: key under `data:`.
        table: manifest rows.
        group: one of GROUPS.

    Returns:
        (group index 0..G-1 per row [N], notes for the reader of a table).

    Raises:
        UsageError: the dataset has no such ids at all.
    """
    if group == "image":
        return np.arange(len(table), dtype=np.int64), ()
    known = _known(table, group)
    if not known.any():
        what = "sources" if group == "source" else f"{group} ids"
        raise UsageError(
            f"splits.{name}.group: '{dataset}' has no {what}; use {_WEAKER[group]} instead"
        )
    notes: tuple[str, ...] = ()
    if not known.all():
        what = "source" if group == "source" else f"{group} id"
        notes = (
            f"{int((~known).sum()):,} of {len(table):,} images of {dataset} have no {what}: "
            f"grouped by {'' if group == 'lesion' else 'lesion, else '}image",
        )
    by_group = pd.factorize(table["group_id"])[0].astype(np.int64)
    if group == "lesion":
        if table["patient_id"].isna().all():
            notes = (*notes, f"{dataset} has no patient ids: patients may be in several splits")
        return by_group, notes
    if group == "source":
        keys = table["source"].where(known, "\0" + table["group_id"])
        return pd.factorize(keys)[0].astype(np.int64), notes
    # A patient's images and a lesion's images stay together, also where a row lacks one id.
    patients = pd.factorize(table["patient_id"])[0].astype(np.int64)
    rows = np.flatnonzero(patients >= 0)
    offset = int(by_group.max()) + 1
    links = np.column_stack([by_group[rows], offset + patients[rows]])
    joined = components(links, offset + int(patients.max()) + 1)
    return pd.factorize(joined[by_group])[0].astype(np.int64), notes


_WEAKER = {"lesion": "image", "patient": "lesion or image", "source": "lesion or image"}


def _known(table: pd.DataFrame, group: str) -> pd.Series:
    if group == "lesion":
        return pd.Series(~without_lesion(table), index=table.index)
    return table["patient_id"].notna() if group == "patient" else known_source(table)


def known_source(table: pd.DataFrame) -> pd.Series:
    """Which manifest rows say where they were taken; the word `unknown` does not [N]."""
    return table["source"].notna() & (table["source"] != "unknown")


def without_lesion(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which manifest rows name neither their lesion nor their patient [N]."""
    return table[["lesion_id", "patient_id"]].isna().all(axis=1).to_numpy(dtype=bool)


# --- pairs that are one lesion -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Manifests whose lesions are joined where pairs name them as one."""

    manifests: Mapping[str, Manifest]
    """With `lesion_id` and `group_id` as joined, and all else, the digest included, as it was:
    what is joined is part of a split's identity, not of the data's."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dataset to what was joined in it, for the reader of a split."""


def merge_groups(
    manifests: Mapping[str, Manifest], pairs: Iterable[Pair], detected: Sequence[Pair] = ()
) -> Merged:
    """Join the lesions, and the groups, of images that are one lesion, within and across datasets.

    All images of both lesions go into one group, and so do chains of pairs. A pair that was
    decided `different` takes back every detected pair between the two lesions.

    Args:
        manifests: by key under `data:`.
        pairs: as a person decided; see `data.pairs.read_pairs`.
        detected: as an audit found, all `same`.

    Raises:
        DataError: a pair names a dataset or image that there is not.
    """
    pairs = tuple(pairs)
    if not pairs and not detected:
        return Merged(manifests=dict(manifests))
    keys = {name: _Keys.of(manifest) for name, manifest in manifests.items()}
    apart = {_lesions(keys, pair) for pair in pairs if pair.decision == "different"}
    kept = [pair for pair in detected if _lesions(keys, pair) not in apart]
    same = [*(pair for pair in pairs if pair.decision == "same"), *kept]
    lesions = _representatives(_linked(keys, same, "lesions"))
    groups = _representatives(_linked(keys, same, "groups"))
    taken_back = len(detected) - len(kept)
    joined = sum(len({lesions.get(key, key) for key in both}) == 1 for both in apart)
    merged, notes = {}, {}
    for name, manifest in manifests.items():
        table = manifest.table
        old = keys[name].lesions
        lesion = [lesions.get(key, own) for key, own in zip(old, table["lesion_id"], strict=True)]
        group = [groups.get(key, key) for key in keys[name].groups]
        table = table.assign(
            lesion_id=pd.Series(lesion, index=table.index, dtype=object),
            group_id=pd.Series(group, index=table.index, dtype=object),
        )
        merged[name] = replace(manifest, table=table)
        notes[name] = _merge_notes(name, keys[name].groups, groups, taken_back, joined)
    return Merged(manifests=merged, notes=notes)


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """What stands for each image's lesion and group, the same in every dataset."""

    rows: Mapping[str, int]
    """Image id to row."""
    lesions: list[str]
    """[N] lesion id, else `image:` and the image id as first published."""
    groups: list[str]
    """[N] the manifest's group_id."""

    @classmethod
    def of(cls, manifest: Manifest) -> _Keys:
        table = manifest.table
        pairs = zip(table["image_id"], table["lesion_id"], strict=True)
        return cls(
            rows={str(image): row for row, image in enumerate(table["image_id"])},
            lesions=[
                str(lesion) if isinstance(lesion, str) else f"image:{bare_id(image)}"
                for image, lesion in pairs
            ],
            groups=[str(group) for group in table["group_id"]],
        )


def _both(keys: Mapping[str, _Keys], pair: Pair, kind: str) -> tuple[str, str]:
    found = []
    for dataset, image in (
        (pair.dataset_a, pair.image_id_a),
        (pair.dataset_b, pair.image_id_b),
    ):
        if dataset not in keys or image not in keys[dataset].rows:
            raise DataError(f"a pair names image {image!r} of '{dataset}', which is not there")
        found.append(str(getattr(keys[dataset], kind)[keys[dataset].rows[image]]))
    return found[0], found[1]


def _lesions(keys: Mapping[str, _Keys], pair: Pair) -> frozenset[str]:
    return frozenset(_both(keys, pair, "lesions"))


def _linked(keys: Mapping[str, _Keys], pairs: Iterable[Pair], kind: str) -> list[list[str]]:
    """Names that pairs link, component by component."""
    links = [_both(keys, pair, kind) for pair in pairs]
    names = sorted({name for link in links for name in link})
    place = {name: index for index, name in enumerate(names)}
    found: dict[int, list[str]] = {}
    if names:
        joined = components([(place[a], place[b]) for a, b in links], len(names))
        for name, component in zip(names, joined, strict=True):
            found.setdefault(int(component), []).append(name)
    return [members for members in found.values() if len(members) > 1]


def _representatives(linked: Iterable[Sequence[str]]) -> dict[str, str]:
    """Each name to one that stands for its component: a lesion's own id where there is one."""
    found = {}
    for members in linked:
        own = [name for name in members if not name.startswith(("image:", "patient:"))]
        first = own[0] if own else f"pair:{members[0].partition(':')[2]}"
        found.update(dict.fromkeys(members, first))
    return found


def _merge_notes(
    name: str, before: Sequence[str], groups: Mapping[str, str], taken_back: int, joined: int
) -> tuple[str, ...]:
    old = {key for key in before if key in groups}
    new = {groups[key] for key in old}
    notes = []
    if len(old) > len(new):
        notes.append(
            f"{len(old):,} lesion groups of {name} are {len(new):,}: pairs of images name them "
            f"as one lesion"
        )
    elif old:
        notes.append(
            f"{len(old):,} lesion groups of {name} are also in another dataset: pairs of images "
            f"name them as one lesion"
        )
    if taken_back:
        what = "pair" if taken_back == 1 else "pairs"
        notes.append(f"{taken_back:,} detected {what} left apart: decided `different`")
    if joined:
        notes.append(
            f"decided `different` and in one group all the same, for other pairs link their "
            f"lesions: {joined:,}"
        )
    return tuple(notes)
