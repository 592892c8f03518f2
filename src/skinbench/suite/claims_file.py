"""A file of published numbers, of anyone's paper: YAML, CSV, or a suite with claims."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from skinbench import registry
from skinbench.errors import SuiteError
from skinbench.suite.claims import Claim, ClaimReport, each_claim
from skinbench.suite.document import MAX_BYTES, Document, Key, read_document
from skinbench.suite.loader import load_suite, resolve_name
from skinbench.suite.rows import paper_of, plain
from skinbench.suite.strict import RowName, Strict
from skinbench.suite.validation import validate

_WHOLE = ("n", "n_positive", "folds")
_TABLES = (".csv", ".tsv")


class ClaimedRow(Claim):
    """A published number, and the row of the paper that it is about."""

    row: RowName = Field(description="paper and row, e.g. smith2025/resnet50")


class ReportedRow(ClaimReport):
    """A classification report, and the row of the paper that it is about."""

    row: RowName


class ClaimsFile(Strict):
    """Published numbers; those of one `row` are held against each other."""

    claims: list[ReportedRow | ClaimedRow] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of a paper with its numbers."""

    name: str
    claims: tuple[Mapping[str, object], ...]


def claims_schema() -> dict[str, Any]:
    """JSON Schema of a YAML file of claims; a CSV has the same keys as columns."""
    schema = ClaimsFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "skinbench claims"
    return schema


def read_claims(file: str | Path, known: Collection[str]) -> tuple[PublishedRow, ...]:
    """The rows of a file of claims, or of a suite (a path, or the name of a shipped one).

    Args:
        file: YAML with `claims:`, CSV or TSV with a column for each key of a claim, or a suite.
        known: metrics that a claim may name.

    Raises:
        SuiteError: with file, line and key of the first thing that is wrong.
        UsageError: there is no such file or suite.
    """
    path = resolve_name(str(file))
    if path.suffix.lower() in _TABLES:
        return _grouped(_read_table(path, known))
    document = read_document(path)
    if not isinstance(document.values.get("claims"), list):
        return _of_suite(path)
    return _grouped(_read_yaml(document, known))


def _grouped(claims: Iterable[tuple[str, Claim]]) -> tuple[PublishedRow, ...]:
    by_row: dict[str, list[Mapping[str, object]]] = {}
    for row, claim in claims:
        by_row.setdefault(row, []).append(_plain(claim))
    return tuple(PublishedRow(name=name, claims=tuple(item)) for name, item in by_row.items())


def _plain(claim: Claim) -> dict[str, object]:
    return {key: value for key, value in plain(claim).items() if value is not None}


def _check_metric(metric: str, known: Collection[str]) -> str:
    return (
        "" if metric in known else f"unknown metric '{metric}'; {registry.suggest(metric, known)}"
    )


# --- YAML ----------------------------------------------------------------------------------


def _read_yaml(document: Document, known: Collection[str]) -> Iterator[tuple[str, Claim]]:
    for name in document.values:
        if name != "claims":
            message = f"unknown key '{name}'; a file of claims has `claims` alone"
            raise document.error(message, (name,))
    raw = document.values["claims"]
    if not raw:
        raise document.error("needs a claim or more", ("claims",))
    for index, item in enumerate(raw):
        key: Key = ("claims", index)
        if not isinstance(item, dict):
            raise document.error("needs a mapping, e.g. {row: a/b, metric: accuracy, ...}", key)
        kind: Any = ReportedRow if "report" in item else ClaimedRow
        parsed = validate(kind, item, document, key)
        for _, claim in each_claim([parsed]):
            if wrong := _check_metric(claim.metric, known):
                raise document.error(wrong, (*key, "metric"))
            yield parsed.row, claim


# --- CSV -----------------------------------------------------------------------------------


def _read_table(path: Path, known: Collection[str]) -> Iterator[tuple[str, Claim]]:
    lines = csv.reader(io.StringIO(_text(path)), dialect=_dialect(path), strict=True)
    try:
        head = [name.strip() for name in next(lines, [])]
        if "row" not in head or "value" not in head:
            message = "needs a first line that names columns: row, metric, class, value, n, source"
            raise SuiteError(message, path=path, line=1)
        found = False
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            found = True
            yield _from_cells(head, cells, Place(path=path, line=lines.line_num), known)
    except csv.Error as error:
        raise SuiteError(f"is no table: {error}", path=path, line=lines.line_num) from error
    if not found:
        raise SuiteError("holds no claim", path=path)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A line of a table."""

    path: Path
    line: int


def _dialect(path: Path) -> type[csv.Dialect]:
    return csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SuiteError(f"larger than {MAX_BYTES:,} bytes", path=path)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror or error}", path=path) from error
    except UnicodeDecodeError as error:
        raise SuiteError("is not UTF-8 text", path=path) from error


def _from_cells(
    head: list[str], cells: list[str], place: Place, known: Collection[str]
) -> tuple[str, Claim]:
    if len(cells) > len(head):
        message = f"has {len(cells)} cells under {len(head)} columns"
        raise SuiteError(message, path=place.path, line=place.line)
    values: dict[str, Any] = {}
    for name, cell in zip(head, cells, strict=False):
        text = cell.strip()
        if text:
            values[name] = int(text) if name in _WHOLE and text.isdecimal() else text
    lines: dict[Key, int] = {(): place.line, **{(name,): place.line for name in head}}
    document = Document(values=values, lines=lines, path=place.path)
    parsed = validate(ClaimedRow, values, document)
    if wrong := _check_metric(parsed.metric, known):
        raise document.error(wrong, ("metric",))
    return parsed.row, parsed


# --- a suite -------------------------------------------------------------------------------


def _of_suite(path: Path) -> tuple[PublishedRow, ...]:
    """Rows with claims; several with the same claims of one paper are one row of its table."""
    suite = load_suite(path)
    found: dict[tuple[str, tuple[Claim, ...]], list[str]] = {}
    for row in suite.rows:
        if row.claims:
            name = row.name.removesuffix(f"/{row.settings.split}")
            found.setdefault((row.paper, row.claims), []).append(name)
    for name, derived in suite.file.derived.items():
        claims = tuple(claim for _, claim in each_claim(derived.claims))
        if claims:
            found.setdefault((paper_of(suite.file, name), claims), []).append(name)
    if not found:
        message = "has no claims; give its rows `claims:`, or write a file of claims"
        raise SuiteError(message, path=path)
    return tuple(
        PublishedRow(name=_shared_name(names), claims=tuple(_plain(claim) for claim in claims))
        for (_, claims), names in found.items()
    )


def _shared_name(names: list[str]) -> str:
    """`p1/cnn` of `p1/cnn/by_image` and `p1/cnn/by_lesion`; of other models the first one's."""
    shared = []
    for parts in zip(*(name.split("/") for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared) if len(shared) > 1 else names[0]
