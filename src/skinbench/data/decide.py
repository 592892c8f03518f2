"""One line more in a suite's file of decided pairs: whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from skinbench.data.pairs import COLUMNS, contradiction
from skinbench.errors import DataError, UsageError
from skinbench.records import Manifest, Pair
from skinbench.store import write_text


def find_image(text: str, manifests: Mapping[str, Manifest]) -> tuple[str, str]:
    """The image that a person means: `ISIC_0024306`, or `ham:ISIC_0024306` where several have it.

    Returns:
        (key under `data:`, image id).

    Raises:
        UsageError: no dataset has it, or several have.
    """
    dataset, colon, image = text.partition(":")
    if colon and dataset in manifests:
        if image in set(manifests[dataset].table["image_id"]):
            return dataset, image
        raise UsageError(f"image '{image}' is not in data '{dataset}'")
    having = [name for name, item in manifests.items() if text in set(item.table["image_id"])]
    if len(having) == 1:
        return having[0], text
    if not having:
        raise UsageError(f"image '{text}' is not in {', '.join(manifests)}")
    named = " or ".join(f"{name}:{text}" for name in having)
    raise UsageError(f"image '{text}' is in {', '.join(having)}; say {named}")


def decide(path: Path, pair: Pair, adapters: Mapping[str, str]) -> str:
    """Add a decision to the file of pairs; an earlier one about the same two images goes.

    Args:
        path: the CSV; made where there is none.
        pair: two different images and what they are.
        adapters: adapter to key under `data:`, since a file may name either.

    Returns:
        What was done, in words.

    Raises:
        UsageError: an image is paired with itself, or the file is no CSV that can be added to.
        DataError: the file cannot be read or has other columns.
        StoreError: the file cannot be written; it stays as it was.
    """
    new = _ends((pair.dataset_a, pair.image_id_a, pair.dataset_b, pair.image_id_b), adapters)
    if len(new) == 1:
        raise UsageError(f"image '{pair.image_id_a}' is paired with itself")
    rows = _rows(path)
    kept = [row for row in rows if _ends(row, adapters) != new]
    before = [row[4] for row in rows if _ends(row, adapters) == new]
    if before == [pair.decision]:
        return f"{path}: says so already"
    decided = [(_ends(row, adapters), row[4]) for row in kept]
    wrong = contradiction([*decided, (new, pair.decision)])
    if wrong is not None:
        left, right = sorted(image for _, image in [*decided, (new, "")][wrong][0])
        raise UsageError(
            f"{pair.image_id_a} and {pair.image_id_b} cannot be {pair.decision}: decisions make "
            f"{left} and {right} one lesion by `same`, and they are decided `different`; change "
            f"one of those first"
        )
    line = [pair.dataset_a, pair.image_id_a, pair.dataset_b, pair.image_id_b, pair.decision]
    write_text(path, pairs_text([*kept, line]))
    done = "changed" if before else "added"
    return f"{path}: {done}; {len(kept) + 1:,} decided in all"


def pairs_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows of COLUMNS as CSV with its head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    return text.getvalue()


def _ends(row: Sequence[str], adapters: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The two images of a row, in no order."""
    return frozenset(
        {(adapters.get(row[0], row[0]), row[1]), (adapters.get(row[2], row[2]), row[3])}
    )


def _rows(path: Path) -> list[list[str]]:
    """The decisions in a file, in the order of COLUMNS."""
    if not path.exists():
        return []
    if path.suffix.lower() == ".parquet":
        raise UsageError(f"{path}: decisions are added to a CSV; name one under audit.pairs")
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    found = []
    for number, row in enumerate(rows, 2):
        if not set(COLUMNS) <= set(row):
            raise DataError(f"{path}: row {number}: needs the columns {', '.join(COLUMNS)}")
        found.append([row[name] for name in COLUMNS])
    return found
