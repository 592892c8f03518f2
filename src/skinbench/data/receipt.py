"""What a download leaves in a dataset's folder: a receipt when it is whole, else a workplace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from skinbench.errors import CorruptObjectError, DataError, UsageError
from skinbench.store import read_record

RECEIPT = ".skinbench_download.json"
WORKPLACE = ".skinbench_download"
_HARMLESS = frozenset({RECEIPT, WORKPLACE, ".DS_Store", "lost+found"})


@dataclass(frozen=True, kw_only=True)
class ReceivedFile:
    """A file that was downloaded, and what came out of it."""

    file_name: str
    url: str
    bytes: int
    sha256: str
    """As received: for files without a published digest, what others can compare with."""
    into: str
    files: Mapping[str, int]
    """Path under the dataset's root (POSIX) to size in bytes."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What `skinbench data download` has put into a folder."""

    dataset: str
    licence: str
    homepage: str
    received: tuple[ReceivedFile, ...] = ()
    moving: bool = False
    """All is unpacked, and on its way from the workplace to the root."""


def read_receipt(path: Path) -> Receipt | None:
    """A receipt, None where there is none.

    Raises:
        DataError: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return read_record(path, Receipt)
    except CorruptObjectError as error:
        raise DataError(f"{path} is damaged; remove it, then try again") from error


def file_keys(received: Iterable[ReceivedFile]) -> set[tuple[str, str]]:
    """(folder, file name) of each: what tells the files of a dataset apart."""
    return {(got.into, got.file_name) for got in received}


def check_own(dataset: str, root: Path, receipt: Receipt | None) -> None:
    """Make sure that whatever is in the root came from here, and is as it came.

    Raises:
        UsageError: it holds other files, or another dataset.
        DataError: a file was changed since.
    """
    if not root.is_dir():
        return
    staged = read_receipt(root / WORKPLACE / "receipt.json")
    if staged and staged.moving:
        return
    for known in (receipt, staged):
        if known and known.dataset != dataset:
            raise UsageError(f"{root} holds {known.dataset}; choose another --root for {dataset}")
    others = sorted(path.name for path in root.iterdir() if path.name not in _HARMLESS)
    if others and receipt is None:
        raise UsageError(
            f"{root} already holds files that were not downloaded by this command ({others[0]}); "
            f"`skinbench data check {dataset} --root {root}` tells whether they are complete; to "
            f"download, choose another --root"
        )
    for got in receipt.received if receipt else ():
        for name, size in got.files.items():
            path = root / name
            if path.is_file() and path.stat().st_size != size:
                raise DataError(
                    f"{path} was changed since it was downloaded ({path.stat().st_size:,} bytes, "
                    f"not {size:,}); move it elsewhere, then try again"
                )


def intact(root: Path, receipt: Receipt | None) -> Iterator[ReceivedFile]:
    """Received files of which everything is still there."""
    for got in receipt.received if receipt else ():
        if all((root / name).is_file() for name in got.files):
            yield got
