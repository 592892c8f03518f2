"""The file of pairs: which images a person has decided are one lesion, or are not."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from skinbench import registry
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.data.components import components
from skinbench.data.published import cleaned
from skinbench.errors import DataError
from skinbench.records import Manifest, Pair

COLUMNS = ("dataset_a", "image_id_a", "dataset_b", "image_id_b", "decision")
"""Of the file; the short form has image_id_a and image_id_b, and may have decision."""
DECISIONS = ("same", "different")
Ends = Collection[tuple[str, str]]
"""(dataset, image id) of the two images of a pair."""


def read_pairs(
    path: Path,
    manifests: Mapping[str, Manifest],
    *,
    others: Collection[str] = (),
    sampled: Collection[str] = (),
) -> tuple[Pair, ...]:
    """Decisions on pairs of images, each checked against the datasets that it names.

    A dataset is named by its key under `data:` or by its adapter. In the short form, without
    dataset columns, an id means that image in every dataset that has it. Rows about datasets
    that are not in use, and about images that cleaning or `sample` left out, are passed over:
    one file serves many suites.

    Args:
        path: CSV or Parquet with COLUMNS, or with image_id_a and image_id_b alone; without a
            decision column every pair is `same`.
        manifests: by key under `data:`, those in use.
        others: further keys under `data:`, not in use here.
        sampled: those of `manifests` that are a sample: an unknown id there is no mistake.

    Returns:
        Pairs in the file's order; a row repeated is there once.

    Raises:
        DataError: names file and row of an unknown dataset or image, a wrong decision, an image
            paired with itself, or two rows that contradict each other.
    """
    source = read_table(path)
    require_columns(source, ("image_id_a", "image_id_b"), path)
    long = {"dataset_a", "dataset_b"} & set(source.columns)
    if long:
        require_columns(source, COLUMNS, path)
    images = _Images(path=path, manifests=manifests, others=others, sampled=sampled)
    found: dict[tuple[tuple[str, str], ...], tuple[Pair, int]] = {}
    for line in (dict(zip(source.columns, cells, strict=True)) for cells in source.to_numpy()):
        row = int(line["row"])
        decision = _decision(line.get("decision", "same"), path, row)
        left, right = (images.of(line, side, row) for side in ("a", "b"))
        for a, b in itertools.product(left, right):
            if a == b:
                raise DataError(f"{path}: row {row}: pairs image {a[1]!r} of '{a[0]}' with itself")
            pair = Pair(
                dataset_a=a[0],
                image_id_a=a[1],
                dataset_b=b[0],
                image_id_b=b[1],
                decision=decision,
            )
            first, before = found.setdefault(tuple(sorted((a, b))), (pair, row))
            if first.decision != decision:
                raise DataError(
                    f"{path}: row {row}: says `{decision}` of {a[1]} and {b[1]}, row {before} says "
                    f"`{first.decision}`; keep one of the two"
                )
    wrong = contradiction([(ends, pair.decision) for ends, (pair, _) in found.items()])
    if wrong is not None:
        pair, row = list(found.values())[wrong]
        raise DataError(
            f"{path}: row {row}: says `different` of {pair.image_id_a} and {pair.image_id_b}, "
            f"which other rows make one lesion by `same`; change one of them"
        )
    return tuple(pair for pair, _ in found.values())


def contradiction(decided: Sequence[tuple[Ends, str]]) -> int | None:
    """Which decision is `different` although `same` ones connect its two images; None for none.

    Args:
        decided: the two images of each pair, and the decision.
    """
    names = sorted({image for ends, _ in decided for image in ends})
    place = {image: index for index, image in enumerate(names)}
    links = [[place[image] for image in ends] for ends, decision in decided if decision == "same"]
    joined = components(links, len(names)) if names else ()
    for index, (ends, decision) in enumerate(decided):
        if decision == "different" and len({joined[place[image]] for image in ends}) == 1:
            return index
    return None


def _decision(text: str | None, path: Path, row: int) -> Literal["same", "different"]:
    if text not in DECISIONS:
        raise DataError(f"{path}: row {row}: decision {text!r} is not same or different")
    return cast('Literal["same", "different"]', text)


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Which image of which dataset a row means."""

    path: Path
    manifests: Mapping[str, Manifest]
    others: Collection[str]
    sampled: Collection[str]
    known: dict[str, set[str]] = field(default_factory=dict)
    gone: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, manifest in self.manifests.items():
            self.known[name] = set(manifest.table["image_id"])
            self.gone[name] = cleaned(manifest)

    def of(self, line: Mapping[str, object], side: str, row: int) -> list[tuple[str, str]]:
        """(dataset, image id) of one side of a row; several, or none that is in use."""
        image, dataset = line[f"image_id_{side}"], line.get(f"dataset_{side}")
        if not isinstance(image, str):
            raise DataError(f"{self.path}: row {row}: image_id_{side} is empty")
        if f"dataset_{side}" in line:
            names = self._datasets(dataset, side, row)
            if not names:
                return []
        else:
            names = list(self.manifests)
        found = [(name, image) for name in names if image in self.known[name]]
        if found or any(image in self.gone[name] or name in self.sampled for name in names):
            return found
        if f"dataset_{side}" not in line and self.others:
            return []  # it may be one of a dataset that is not in use
        raise DataError(
            f"{self.path}: row {row}: image {image!r} is not in {', '.join(names) or 'any dataset'}"
        )

    def _datasets(self, text: object, side: str, row: int) -> list[str]:
        if text in self.manifests:
            return [str(text)]
        names = [name for name, item in self.manifests.items() if item.adapter == text]
        adapters = registry.datasets.names()
        if names or text in self.others or text in adapters:
            return names
        hint = registry.suggest(str(text), [*self.manifests, *self.others, *adapters])
        raise DataError(
            f"{self.path}: row {row}: dataset_{side} {text!r} is no dataset of the suite; {hint}"
        )
