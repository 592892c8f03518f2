"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store.plain import from_plain, to_plain

T = TypeVar("T")


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    Raises:
        StoreError: the folder is read-only or the disk is full; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON with sorted keys, atomically."""
    text = json.dumps(to_plain(value), indent=1, sort_keys=True, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StoreError: the file is absent or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # also numbers of too many digits
        raise CorruptObjectError(f"{path} is not valid JSON: {error}") from error


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record from a JSON file.

    Raises:
        StoreError: the file is absent.
        CorruptObjectError: it is not JSON, or not this kind of record.
    """
    try:
        return from_plain(kind, read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptObjectError(
            f"{path} is not a {kind.__name__}: {where}: {first['msg']}"
        ) from error
