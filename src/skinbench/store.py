"""The only module that knows file names: the shared store and the run folder.

Objects of the store are immutable and named by content. Each is written under a temporary
name and renamed into place with its marker (sizes and digests of its files) inside, so an
object either is whole or does not exist; a lost race between two writers is harmless.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import platformdirs
from pydantic import TypeAdapter, ValidationError

from skinbench.errors import CorruptObjectError, StoreError

T = TypeVar("T")
MARKER = "complete.json"
STORE_SCHEMA_VERSION = 1
KINDS = ("manifests", "splits", "pixels", "features", "fits", "predictions", "datasets")


# --- plain values ------------------------------------------------------------------------


def to_plain(value: object) -> Any:
    """Records, mappings, tuples, paths and NumPy scalars as JSON values; NaN becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name.rstrip("_"): to_plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_plain(item) for item in items]
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()  # a NumPy scalar
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: type[T], value: object) -> T:
    """A record back from its JSON value.

    Raises:
        pydantic.ValidationError: the value does not have the record's shape.
    """
    return TypeAdapter(kind).validate_python(_restore_names(kind, value))


def _restore_names(kind: Any, value: object) -> object:
    """Give a field such as `class_` its underscore back; keys of free mappings stay."""
    kinds = [kind, *get_args(kind)]
    if isinstance(value, list):
        item = next((k for k in kinds if get_origin(k) in (list, tuple)), None)
        return [_restore_names(get_args(item)[0], part) for part in value] if item else value
    if not isinstance(value, Mapping):
        return value
    record: Any = next((k for k in kinds if dataclasses.is_dataclass(k)), None)
    if record is not None and get_origin(kind) not in _MAPPINGS:
        fields = _fields(record)
        known = {key: fields.get(str(key), (key, object)) for key in value}
        return {known[key][0]: _restore_names(known[key][1], value[key]) for key in value}
    free = next((k for k in kinds if get_origin(k) in _MAPPINGS), None)
    if free is None:
        return value
    return {key: _restore_names(get_args(free)[1], item) for key, item in value.items()}


_MAPPINGS = (dict, Mapping)


@functools.cache
def _fields(record: Any) -> dict[str, tuple[str, Any]]:
    """Name of a field in JSON to its name in Python and its type."""
    kinds = get_type_hints(record)
    return {f.name.rstrip("_"): (f.name, kinds[f.name]) for f in dataclasses.fields(record)}


def canonical_json(value: object) -> str:
    """One text for equal values: sorted keys, no spaces, shortest float form."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_digest(value: object) -> str:
    """First 32 hex digits of the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- atomic writes -----------------------------------------------------------------------


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
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
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


# --- the store ---------------------------------------------------------------------------


def default_store_path() -> Path:
    """SKINBENCH_STORE, else the user's cache folder."""
    named = os.environ.get("SKINBENCH_STORE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("skinbench"))


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One line of `skinbench cache list`."""

    kind: str
    name: str
    bytes: int
    created: float
    """Seconds since the epoch."""
    path: Path


class Store:
    """Objects by kind and content name, shared by runs and users.

    Args:
        root: folder of the store; made when first written to.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_store_path()).expanduser().resolve()

    def path(self, kind: str, name: str) -> Path:
        """Folder of an object, whether it exists or not."""
        return self.root / kind / name

    def work_path(self, kind: str, name: str) -> Path:
        """Folder for what an unfinished object keeps between attempts (epoch checkpoints)."""
        return self.root / "work" / kind / name

    def has(self, kind: str, name: str) -> bool:
        """Whether the object is complete: its marker lists every file with its right size."""
        folder = self.path(kind, name)
        try:
            marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            return bool(marker["schema"] == STORE_SCHEMA_VERSION) and all(
                (folder / file).stat().st_size == entry["bytes"]
                for file, entry in marker["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def open(self, kind: str, name: str) -> Path:
        """Folder of a complete object.

        Raises:
            CorruptObjectError: it is absent, or a file is missing or has the wrong size.
        """
        if not self.has(kind, name):
            state = "is damaged" if self.path(kind, name).exists() else "does not exist"
            raise CorruptObjectError(
                f"{kind}/{name} {state} in {self.root}; "
                f"run `skinbench cache verify`, then the suite again"
            )
        return self.path(kind, name)

    def publish(self, kind: str, name: str, write: Callable[[Path], None]) -> Path:
        """Make an object unless it exists: `write` fills a temporary folder.

        A damaged object of that name is replaced. The loser of a race discards its copy.

        Raises:
            StoreError: the disk is full or read-only; no half object is left.
        """
        final = self.path(kind, name)
        if self.has(kind, name):
            return final
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            # Not by tempfile, whose folders are for one user alone: the store is shared.
            temporary = final.with_name(f".{name}.{uuid.uuid4().hex[:8]}")
            temporary.mkdir()
        except OSError as error:
            raise StoreError(f"cannot write to {self.root}: {error.strerror or error}") from error
        try:
            write(temporary)
            _write_marker(temporary)
            self._move_into_place(temporary, final)
        except OSError as error:
            raise StoreError(f"cannot write {final}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final

    def _move_into_place(self, temporary: Path, final: Path) -> None:
        """Rename; what is damaged in its place goes first. Others may be doing the same."""
        for attempt in range(10):
            try:
                temporary.rename(final)
            except OSError:
                if self.has(final.parent.name, final.name):
                    return  # another writer won
                if attempt == 9:
                    raise
                aside = final.with_name(f".{final.name}.damaged.{uuid.uuid4().hex[:8]}")
                with contextlib.suppress(OSError):
                    final.rename(aside)
                    shutil.rmtree(aside, ignore_errors=True)
            else:
                return

    def objects(self) -> list[StoredObject]:
        """Every object with a marker, by kind and name."""
        found = []
        for kind in KINDS:
            for marker in sorted((self.root / kind).glob(f"[!.]*/{MARKER}")):
                folder = marker.parent
                size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                created = marker.stat().st_mtime
                found.append(
                    StoredObject(
                        kind=kind, name=folder.name, bytes=size, created=created, path=folder
                    )
                )
        return found

    def verify(self) -> list[str]:
        """Read every object against its digests; one line for each that is damaged."""
        problems = []
        for kind in KINDS:
            for folder in sorted((self.root / kind).glob("[!.]*")):
                bad = _damage(folder)
                if bad:
                    problems.append(f"{kind}/{folder.name}: damaged: {', '.join(bad)}")
        return problems

    def clear(self, kinds: tuple[str, ...] = KINDS) -> int:
        """Remove all objects of these kinds and everything unfinished; the bytes freed."""
        before = sum(item.bytes for item in self.objects() if item.kind in kinds)
        for kind in kinds:
            shutil.rmtree(self.root / kind, ignore_errors=True)
            shutil.rmtree(self.root / "work" / kind, ignore_errors=True)
        return before

    def digest_of(self, path: Path) -> str:
        """sha256 of a file, remembered by its path, size and time of change."""
        return FileDigests(self).get(path)


def _damage(folder: Path) -> list[str]:
    """Files of an object that are not what its marker says."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if marker["schema"] != STORE_SCHEMA_VERSION:
            return [f"{MARKER}: schema {marker['schema']}, not {STORE_SCHEMA_VERSION}"]
        files = marker["files"].items()
        return [name for name, entry in files if not _matches(folder / name, entry)]
    except OSError as error:
        return [f"{MARKER}: {error.strerror or error}"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{MARKER}: cannot be read"]


def _matches(path: Path, entry: Mapping[str, object]) -> bool:
    return path.is_file() and file_digest(path) == entry["sha256"]


def _write_marker(folder: Path) -> None:
    files = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    marker = {"schema": STORE_SCHEMA_VERSION, "files": files, "created": round(time.time())}
    write_json(folder / MARKER, marker)


class FileDigests:
    """sha256 of many files, remembered in the store by (path, size, mtime)."""

    def __init__(self, store: Store, name: str = "files") -> None:
        self._path = store.root / "digests" / f"{name}.json"
        self._known: dict[str, list[object]] = {}
        if self._path.exists():
            with contextlib.suppress(StoreError, ValidationError):
                self._known = from_plain(dict[str, list[object]], read_json(self._path))
        self._changed = False

    def lookup(self, path: Path) -> str | None:
        """The remembered digest, if the file has not changed since."""
        stat = path.stat()
        entry = self._known.get(str(path))
        if entry and entry[:2] == [stat.st_size, stat.st_mtime_ns]:
            return str(entry[2])
        return None

    def remember(self, path: Path, digest: str) -> None:
        """Keep a digest until `save`."""
        stat = path.stat()
        self._known[str(path)] = [stat.st_size, stat.st_mtime_ns, digest]
        self._changed = True

    def get(self, path: Path) -> str:
        """The digest, read from the file where it is not known; saved at once."""
        digest = self.lookup(path)
        if digest is None:
            digest = file_digest(path)
            self.remember(path, digest)
            self.save()
        return digest

    def save(self) -> None:
        """Write what was remembered."""
        if self._changed:
            write_json(self._path, self._known)
            self._changed = False


# --- the run folder ----------------------------------------------------------------------


class RunFolder:
    """Names of everything in a run's own folder, which can be copied away whole.

    Args:
        root: e.g. `reports/quickstart`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.suite = root / "suite.yaml"
        self.plan = root / "plan.json"
        self.audit = root / "audit.json"
        self.run = root / "run.json"
        self.scorecard = root / "scorecard.json"
        self.cases = root / "cases.json"
        self.verdict = root / "verdict.json"
        self.markdown = root / "report.md"
        self.html = root / "report.html"
        self.log = root / "run.log"
        self.history = root / "history"
        self.manifests = root / "manifests"
        self.splits = root / "splits"
        self.predictions = root / "predictions"
        self.fits = root / "fits"
        self.heatmaps = root / "heatmaps"
        self.thumbnails = root / "thumbnails"
        self.figures = root / "figures"

    def manifest(self, data: str) -> Path:
        """Parquet of a dataset's checked table; its cleaning facts are in the `.json` beside."""
        return self.manifests / f"{data}.parquet"

    def split(self, name: str) -> Path:
        """Parquet of a split table."""
        return self.splits / f"{name}.parquet"

    def prediction(self, cell: str) -> Path:
        """Parquet of a cell's predictions: val, test and every condition."""
        return self.predictions / f"{file_name(cell)}.parquet"

    def fit(self, fit_id: str) -> Path:
        """FitRecord and spec of a fit, as JSON."""
        return self.fits / f"{fit_id}.json"


def file_name(name: str) -> str:
    """A name as one path component: `p1/multimodal@0.0` -> `p1+multimodal@0.0`."""
    safe = "".join(c if c.isalnum() or c in "-_.@=," else "+" for c in name)
    return safe.lstrip(".") or "+"
