"""Predictions as they are written: ISIC's CSV, Parquet or JSON, row by row as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.bundle.decisions import Decision, decide
from skinbench.bundle.predicting import Predicted
from skinbench.bundle.reading import OpenedBundle
from skinbench.errors import UsageError, one_line

Format = Literal["isic", "parquet", "json"]
FORMATS: tuple[Format, ...] = ("isic", "parquet", "json")
_ENDINGS: dict[str, Format] = {
    "": "isic", ".csv": "isic", ".txt": "isic", ".parquet": "parquet", ".pq": "parquet",
    ".json": "json",
}  # fmt: skip
BINARY = ("benign", "malignant")
"""Classes of ISIC 2020's format: one column `target`, the probability of the second."""
Write = Callable[[Predicted], None]


def format_of(path: Path | None, asked: str | None) -> Format:
    """The format that is asked for, else that of the file's ending, ISIC's CSV without one.

    Raises:
        UsageError: the ending is of something else.
    """
    if asked is not None:
        return asked  # type: ignore[return-value]  # click checked it
    ending = "" if path is None else path.suffix.lower()
    if ending not in _ENDINGS:
        known = ", ".join(name for name in _ENDINGS if name)
        raise UsageError(f"--out {path}: writes {known}; say which by --format")
    return _ENDINGS[ending]


@contextmanager
def isic_writer(stream: TextIO, opened: OpenedBundle) -> Iterator[Write]:
    """`image` and a column for each class in capitals; `image_name,target` for benign, malignant.

    What ISIC's own scorer and `skinbench score` read. A file that gave no answer has no row.
    """
    classes = opened.record.classes
    binary = classes == BINARY
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["image_name", "target"] if binary else ["image", *map(str.upper, classes)])

    def write(batch: Predicted) -> None:
        for item, values in zip(batch.images, batch.probabilities, strict=True):
            kept = values[1:] if binary else values
            rows.writerow([item.image_id, *(f"{value:.9g}" for value in kept)])

    yield write


@contextmanager
def parquet_writer(path: Path, opened: OpenedBundle) -> Iterator[Write]:
    """image_id, p_<class>, decided, and `called_<class>_<n>` for each operating point."""
    record = opened.record
    names = [f"p_{code}" for code in record.classes]
    schema = pa.schema(
        [
            pa.field("image_id", pa.string(), nullable=False),
            *(pa.field(name, pa.float32(), nullable=False) for name in names),
            pa.field("decided", pa.string(), nullable=False),
            *(
                pa.field(f"called_{item.class_}_{place}", pa.bool_())
                for place, item in enumerate(record.points)
            ),
        ],
        metadata={"classes": ",".join(record.classes), "bundle": opened.digest},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as file:

        def write(batch: Predicted) -> None:
            if not batch.images:
                return
            decided = [decide(record, values) for values in batch.probabilities]
            columns = [
                pa.array([item.image_id for item in batch.images]),
                *(pa.array(batch.probabilities[:, place]) for place in range(len(names))),
                pa.array([rules[0].decided for rules in decided]),
                *(
                    pa.array([_called(rules, p.class_, p.policy) for rules in decided], pa.bool_())
                    for p in record.points
                ),
            ]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))

        yield write


def _called(rules: list[Decision], class_: str, policy: str) -> bool | None:
    return next(
        (r.called for r in rules if (r.class_, r.rule) == (class_, policy)),
        None,
    )


@contextmanager
def json_writer(stream: TextIO, opened: OpenedBundle) -> Iterator[Write]:
    """One document: bundle, classes, predictions, and the files that gave no answer."""
    record = opened.record
    head = {"bundle": opened.digest, "cell": record.cell, "classes": list(record.classes)}
    stream.write(json.dumps(head)[:-1] + ', "predictions": [')
    unreadable: list[dict[str, str]] = []
    first = True

    def write(batch: Predicted) -> None:
        nonlocal first
        for item, values in zip(batch.images, batch.probabilities, strict=True):
            rules = decide(record, values)
            row = {
                "image": item.image_id,
                "probabilities": {
                    code: float(f"{value:.9g}")
                    for code, value in zip(record.classes, values, strict=True)
                },
                "decided": rules[0].decided,
                "at": [
                    {"class": r.class_, "policy": r.rule, "threshold": r.threshold,
                     "called": r.called}
                    for r in rules[1:]
                ],
            }  # fmt: skip
            stream.write(("\n " if first else ",\n ") + json.dumps(row, ensure_ascii=False))
            first = False
        unreadable.extend(
            {"path": one_line(str(item.path)), "reason": item.reason} for item in batch.unreadable
        )

    yield write
    stream.write('\n], "unreadable": ' + json.dumps(unreadable, ensure_ascii=False) + "}\n")
