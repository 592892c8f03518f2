"""Reading a bundle: every file as its bundle.json says, or one line about what is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skinbench import registry
from skinbench.errors import CorruptObjectError, StoreError, UnknownNameError, UsageError
from skinbench.records import BUNDLE_FILE, BUNDLE_SCHEMA_VERSION, Bundle, BundleSpeed
from skinbench.store import file_digest, read_json, read_record

SPEED_FILE = "speed.json"
CARD_FILE = "card.md"


@dataclass(frozen=True, kw_only=True)
class OpenedBundle:
    """A bundle whose files have been checked."""

    root: Path
    record: Bundle
    digest: str
    """sha256 of bundle.json, which holds the digests of all other files."""

    @property
    def short(self) -> str:
        """The first 12 digits of the digest, for people."""
        return self.digest[:12]

    @property
    def card(self) -> str:
        """The model card, Markdown; "" where the bundle has none."""
        path = self.root / CARD_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def speed(self) -> BundleSpeed | None:
        """What was measured where it was exported."""
        path = self.root / SPEED_FILE
        return read_record(path, BundleSpeed) if path.is_file() else None


def open_bundle(root: Path) -> OpenedBundle:
    """Read a bundle and check all of it.

    Args:
        root: the folder, or its bundle.json.

    Raises:
        UsageError: there is no bundle, or one of another version of skinbench.
        CorruptObjectError: a file is absent or was changed.
    """
    root = root.parent if root.name == BUNDLE_FILE else root
    path = root / BUNDLE_FILE
    if not path.is_file():
        raise UsageError(
            f"{root}: is no bundle (it has no {BUNDLE_FILE}); "
            f"make one by `skinbench export RUN CELL --out DIR`"
        )
    schema = _schema(path)
    if schema != BUNDLE_SCHEMA_VERSION:
        raise UsageError(
            f"{path}: is of schema {schema}, and this skinbench reads {BUNDLE_SCHEMA_VERSION}; "
            f"export it again"
        )
    record = read_record(path, Bundle)
    _check_files(root, record)
    _check_steps(path, record)
    return OpenedBundle(root=root, record=record, digest=file_digest(path))


def _schema(path: Path) -> object:
    value = read_json(path)
    return value.get("schema") if isinstance(value, dict) else None


def _check_files(root: Path, record: Bundle) -> None:
    for name, stated in record.files.items():
        if Path(name).name != name:
            raise CorruptObjectError(f"{root / BUNDLE_FILE}: names a file elsewhere: {name!r}")
        file = root / name
        if not file.is_file():
            raise StoreError(f"{file}: is missing from the bundle; copy the folder whole")
        if file.stat().st_size != stated.bytes or file_digest(file) != stated.sha256:
            raise CorruptObjectError(
                f"{file}: is not what {BUNDLE_FILE} says (sha256 {stated.sha256[:12]}...); "
                f"copy the bundle again"
            )
    named = [item.file for item in record.networks]
    if record.likeness is not None and record.likeness.file:
        named.append(record.likeness.file)
    loose = [name for name in named if name not in record.files]
    if loose:
        raise CorruptObjectError(f"{root / BUNDLE_FILE}: has no digest of {', '.join(loose)}")


def _check_steps(path: Path, record: Bundle) -> None:
    """Each step is one that this skinbench knows, and stands behind what it is made of."""
    known = {item.name for item in record.networks}
    for step in record.steps:
        try:
            version = registry.derived.get(step.kind).version
        except UnknownNameError as error:
            raise UsageError(f"{path}: {error}") from error
        if version != step.version:
            raise UsageError(
                f"{path}: '{step.kind}' is of version {step.version}, and this skinbench has "
                f"{version}; export it again"
            )
        if not set(step.of) <= known:
            raise CorruptObjectError(f"{path}: {step.name} is made of what the bundle lacks")
        known.add(step.name)
    if record.answer not in known:
        raise CorruptObjectError(f"{path}: has nothing called {record.answer!r}")
