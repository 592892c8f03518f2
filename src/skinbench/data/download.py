"""A dataset from its official place into its folder: fetched, checked, unpacked, then moved there.

Everything happens in `.skinbench_download/` inside the dataset's folder; only when all of it is
complete are the finished folders moved out of there, by renaming, and the receipt is written last.
So a folder with a receipt and no workplace is whole, and one with a workplace is not finished.
"""

from __future__ import annotations

import filecmp
import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from skinbench import registry
from skinbench.data.fetch import DISK_RESERVE, fetch, file_digests
from skinbench.data.receipt import (
    RECEIPT,
    WORKPLACE,
    Receipt,
    ReceivedFile,
    check_own,
    file_keys,
    intact,
    read_receipt,
)
from skinbench.data.server import Patience, remote_size
from skinbench.data.unpack import Limits, unpack
from skinbench.errors import DataError, ResourceError, StoreError, UsageError
from skinbench.records import DatasetInfo, Download
from skinbench.store import write_json

Watch = Callable[[str, str, int, int | None], None]
"""(`fetch` or `unpack`, file name, bytes done, bytes in all or None)."""


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """What is to be fetched for a dataset, and where it goes."""

    dataset: str
    info: DatasetInfo
    root: Path
    missing: tuple[Download, ...]
    """Not yet in the root; empty where all is there."""
    mirror: str | None = None
    patience: Patience = field(default_factory=Patience)

    @property
    def bytes(self) -> int | None:
        """Published size of what is missing; None where one of the files has none."""
        sizes = [item.bytes for item in self.missing]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def url(self, download: Download) -> str:
        """Where a file is fetched from."""
        if self.mirror is None:
            return download.url
        return f"{self.mirror.rstrip('/')}/{urllib.parse.quote(download.file_name)}"


def plan_download(
    dataset: str, root: Path, mirror: str | None = None, patience: Patience | None = None
) -> DownloadPlan:
    """Compare a folder with what a dataset consists of; asks no server.

    Args:
        dataset: name in the registry `datasets`.
        root: the dataset's folder, which may not exist.
        mirror: address of a folder with the same files under the same names.
        patience: timeouts and attempts.

    Raises:
        UnknownNameError: no such dataset.
        UsageError: there is nothing to download for it, or the folder holds other files.
        DataError: it has to be fetched by hand, or a file was changed since it was downloaded.
    """
    info = registry.datasets.get(dataset).info
    if not info.downloads:
        if info.download_note:
            raise DataError(f"{dataset}: {info.download_note} ({info.homepage})")
        raise UsageError(f"{dataset} has nothing to download; datasets that have: {_fetchable()}")
    if mirror is not None and not mirror.lower().startswith(("http://", "https://")):
        raise UsageError(f"--from {mirror!r} is not an http or https address")
    root = root.expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file; --root is the folder that the dataset goes to")
    receipt = read_receipt(root / RECEIPT)
    check_own(dataset, root, receipt)
    there = file_keys(intact(root, receipt))
    missing = tuple(d for d in info.downloads if (d.into, d.file_name) not in there)
    if not missing and (root / WORKPLACE).is_dir():
        shutil.rmtree(root / WORKPLACE, ignore_errors=True)  # all moved, then stopped
    return DownloadPlan(
        dataset=dataset,
        info=info,
        root=root,
        missing=missing,
        mirror=mirror,
        patience=patience or Patience(),
    )


def download_dataset(plan: DownloadPlan, watch: Watch | None = None) -> Receipt:
    """Fetch what is missing, unpack it, and move it into the dataset's folder.

    May be called again after any failure, and continues: complete files are not fetched twice,
    and parts of files are kept.

    Raises:
        DataError: a server refuses, or what it sends is not what was published, or is hostile.
        ResourceError: the disk cannot hold it.
        StoreError: the folder cannot be written, or another download works in it.
    """
    watch = watch or _unwatched
    workplace = plan.root / WORKPLACE
    try:
        workplace.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {workplace}: {error.strerror or error}") from error
    try:
        with _alone(workplace):
            receipt = _fill(plan, workplace, watch)
    except BaseException:
        _leave_no_shell(plan.root, workplace)
        raise
    shutil.rmtree(workplace, ignore_errors=True)
    return receipt


def _fill(plan: DownloadPlan, workplace: Path, watch: Watch) -> Receipt:
    staged = read_receipt(workplace / "receipt.json")
    received = list(staged.received) if staged else []
    done = file_keys(received)
    waiting = [d for d in plan.missing if (d.into, d.file_name) not in done]
    check_disk(plan, waiting)
    for download in waiting:
        received.append(_bring(plan, download, workplace, watch))
        write_json(workplace / "receipt.json", _receipt(plan, received))
    write_json(workplace / "receipt.json", _receipt(plan, received, moving=True))
    _move(workplace / "tree", plan.root)
    before, fresh = read_receipt(plan.root / RECEIPT), file_keys(received)
    kept = [got for got in (before.received if before else ()) if not file_keys([got]) & fresh]
    receipt = _receipt(plan, [*kept, *received])
    write_json(plan.root / RECEIPT, receipt)
    return receipt


def _leave_no_shell(root: Path, workplace: Path) -> None:
    """Remove the folders of a download that has brought nothing worth continuing."""
    useful = any(path.is_file() and path.name != "lock" for path in workplace.rglob("*"))
    if not useful:
        shutil.rmtree(workplace, ignore_errors=True)
        with suppress(OSError):  # not empty
            root.rmdir()


def check_disk(plan: DownloadPlan, waiting: list[Download]) -> int:
    """Bytes still to fetch, after making sure that the disk holds them packed and unpacked.

    Raises:
        ResourceError: it does not.
        DataError: a size is not published, and its server cannot be asked.
    """
    left, largest = 0, 0
    for download in waiting:
        size = download.bytes
        if size is None:
            size = remote_size(plan.url(download), plan.patience) or 0
        folder = _archives(plan.root / WORKPLACE)
        part = folder / f"{download.file_name}.part"
        have = next(
            (p.stat().st_size for p in (folder / download.file_name, part) if p.is_file()), 0
        )
        left += max(0, size - have)
        largest = max(largest, size)
    # Each archive goes once it is unpacked, and photographs do not shrink in a zip.
    needed = left + largest + DISK_RESERVE
    place = next(p for p in (plan.root, *plan.root.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if waiting and needed > free:
        raise ResourceError(
            f"{plan.dataset} needs {needed / 1e9:.1f} GB for its archives and what is in them; "
            f"{place} has {free / 1e9:.1f} GB free: make room, or choose another --root"
        )
    return left


def _bring(plan: DownloadPlan, download: Download, workplace: Path, watch: Watch) -> ReceivedFile:
    """One file, fetched and put where it belongs under `tree/`."""
    name = download.file_name
    archives = _archives(workplace)
    archives.mkdir(exist_ok=True)
    archive = fetch(
        download,
        plan.url(download),
        archives,
        plan.patience,
        lambda done, total: watch("fetch", name, done, download.bytes or total),
    )
    size, digest = archive.stat().st_size, file_digests(archive, "sha256")["sha256"]
    fresh = workplace / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    if download.unpack:
        try:
            sizes = unpack(archive, fresh, Limits(), lambda n, due: watch("unpack", name, n, due))
        except DataError:
            archive.unlink()  # damaged or hostile: it would be so again
            raise
    else:
        fresh.mkdir()
        shutil.copyfile(archive, fresh / name)
        sizes = {name: size}
    _move(fresh, workplace / "tree" / download.into)
    archive.unlink()
    prefix = f"{download.into}/" if download.into else ""
    return ReceivedFile(
        file_name=name,
        url=plan.url(download),
        bytes=size,
        sha256=digest,
        into=download.into,
        files={prefix + path: length for path, length in sizes.items()},
    )


def _move(source: Path, target: Path) -> None:
    """Move a tree, by one rename where nothing is in the way.

    Raises:
        DataError: another file has a name that is needed; nothing is overwritten.
    """
    if not source.exists():
        return
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        return
    if source.is_dir() and target.is_dir():
        # Tables last: without them no adapter takes a folder of images for a dataset.
        for item in sorted(source.iterdir(), key=lambda path: (path.is_file(), path.name)):
            _move(item, target / item.name)
        source.rmdir()
    elif source.is_file() and target.is_file() and filecmp.cmp(source, target, shallow=False):
        source.unlink()  # an earlier attempt came this far
    else:
        raise DataError(f"{target} is in the way: move it elsewhere, then try again")


def _receipt(plan: DownloadPlan, received: list[ReceivedFile], moving: bool = False) -> Receipt:
    return Receipt(
        dataset=plan.dataset,
        licence=plan.info.licence,
        homepage=plan.info.homepage,
        received=tuple(received),
        moving=moving,
    )


def _archives(workplace: Path) -> Path:
    return workplace / "archives"


@contextmanager
def _alone(workplace: Path) -> Iterator[None]:
    """One download at a time in a folder; the lock goes with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (workplace / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"another download is at work in {workplace.parent}") from error
        except OSError:  # a network file system without locks
            pass
        yield


def _fetchable() -> str:
    names = []
    for name in registry.datasets.names():
        with suppress(Exception):  # a user's broken plug-in is not the point here
            if registry.datasets.get(name).info.downloads:
                names.append(name)
    return ", ".join(names) or "none"


def _unwatched(step: str, name: str, done: int, total: int | None) -> None:
    """Nobody is looking."""
