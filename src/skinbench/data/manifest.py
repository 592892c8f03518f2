"""From a dataset on disk to its manifest: read, map labels, clean, look at every file once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from skinbench import registry
from skinbench.data import cleaning
from skinbench.data.images import Progress, examine_files
from skinbench.data.labelling import label_rows
from skinbench.data.receipt import WORKPLACE
from skinbench.data.squares import Squares
from skinbench.data.tables import frame_digest, plain_text, read_parquet, shaped, write_parquet
from skinbench.data.taxonomy import LabelRequest, Unmapped, check_choice, code_of, label_space
from skinbench.data.vocabulary import general_site
from skinbench.errors import CorruptObjectError, DataError, UsageError
from skinbench.records import (
    MANIFEST_SCHEMA,
    CleaningFinding,
    CleaningPolicy,
    DatasetEntry,
    DatasetInfo,
    LabelSpace,
    Manifest,
    RawDataset,
)
from skinbench.store import (
    Store,
    brought,
    content_digest,
    is_url,
    joined,
    read_record,
    write_json,
)

__all__ = [
    "DataRequest",
    "Progress",
    "export_manifest",
    "import_manifest",
    "load_manifest",
    "publish_manifest",
    "read_manifest",
]


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """One entry under `data:` in a suite."""

    name: str
    """Its key."""
    adapter: str
    """Name in the registry `datasets`."""
    root: Path | None = None
    """None: SKINBENCH_DATA/<adapter>, or drawn into the store for datasets made by a program."""
    labels: str | tuple[str, ...] | LabelRequest | None = None
    """A label space by name, a list of labels, None for the dataset's own; or either with what
    becomes of AK and of labels without a class."""
    sample: int | None = None
    """About this many images, in whole lesion groups; None for all."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The adapter's options."""
    cleaning: CleaningPolicy = field(default_factory=CleaningPolicy)


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """Everything of a Manifest but its table, as JSON beside it."""

    name: str
    adapter: str
    root: Path
    info: DatasetInfo
    label_space: LabelSpace
    findings: tuple[CleaningFinding, ...]
    digest: str


def read_manifest(
    request: DataRequest,
    store: Store,
    progress: Progress | None = None,
    *,
    sizes: Sequence[int] = (),
) -> Manifest:
    """Read, clean and check a dataset.

    Every image file is opened and decoded once; what was found is remembered in the store by
    (path, size, time of change), so that a second call only looks at the files' status.

    Args:
        request: what the suite says about the dataset.
        store: remembers file facts, and holds datasets made by a program.
        progress: called as files are read.
        sizes: of pixel stores that will be asked for: files that are decoded here are decoded
            for them, too.

    Raises:
        UnknownNameError: no such adapter or label space.
        UsageError: an option or policy that does not exist, or labels without a mapping.
        DataError: the dataset is missing or broken, or has a defect whose policy is `error`.
    """
    entry = registry.datasets.get(request.adapter)
    options = dataset_options(request, entry)
    cleaning.check_policy(request.name, request.cleaning)
    if request.sample is not None and request.sample < 1:
        raise UsageError(f"data.{request.name}.sample: {request.sample} is below 1")
    root = dataset_root(request, entry, options, store, f"data.{request.name}.root", progress)
    raw = entry.read(root, options)
    folder = root.parent if root.is_file() else root
    space, labels = requested_space(request, entry, raw)
    cleaner = cleaning.Cleaner(name=request.name, policy=request.cleaning)
    table = _clean_rows(cleaner, request, entry, raw, (space, labels), folder)
    paths = [folder / path for path in table["path"]]
    ids = pd.Index(table["image_id"])
    with Squares(store, sizes, len(paths)) as squares:
        cache = f"images-{request.adapter}"
        facts = examine_files(paths, store, cache, progress, keep=squares.keep if sizes else None)
        table = cleaning.add_file_facts(cleaner, table, facts)
        if table.empty:
            raise DataError(f"data '{request.name}': no usable image is left in {folder}")
        table = shaped(table, MANIFEST_SCHEMA)
        manifest = Manifest(
            name=request.name,
            adapter=request.adapter,
            root=folder,
            info=entry.info,
            label_space=space,
            table=table,
            findings=tuple(cleaner.findings) + _unused(raw),
            digest=manifest_digest(space, table),
        )
        squares.publish(manifest, ids.get_indexer(pd.Index(table["image_id"])))
    return manifest


def manifest_digest(space: LabelSpace, table: pd.DataFrame) -> str:
    """Digest over the classes and every column; never over names, roots or findings."""
    return frame_digest(table, space.name, list(space.classes))


def dataset_options(request: DataRequest, entry: DatasetEntry) -> dict[str, object]:
    """The adapter's options, those of the request over the defaults.

    Raises:
        UsageError: an option that the adapter does not have.
    """
    unknown = sorted(set(request.options) - set(entry.options))
    if unknown:
        hint = registry.suggest(unknown[0], entry.options)
        raise UsageError(
            f"data.{request.name}.options: {request.adapter} has no option '{unknown[0]}'; {hint}"
        )
    return {**entry.options, **request.options}


def dataset_root(
    request: DataRequest,
    entry: DatasetEntry,
    options: Mapping[str, object],
    store: Store,
    setting: str,
    progress: Progress | None = None,
) -> Path:
    """Where a dataset is: as asked, drawn into the store, or below SKINBENCH_DATA.

    Args:
        request: its root, where one is given.
        entry: the catalog entry.
        options: of the adapter, complete.
        store: holds datasets made by a program.
        setting: how the user names a root, for messages, e.g. `data.ham.root` or `--root`.
        progress: called as images are drawn.

    Raises:
        DataError: there is no such folder.
    """
    if request.root is not None:
        root = request.root.expanduser()
    elif entry.prepare is not None:
        return _prepared(request.adapter, entry, options, store, progress)
    elif os.environ.get("SKINBENCH_DATA"):
        named = os.environ["SKINBENCH_DATA"]
        if is_url(named):
            return brought(joined(named, request.adapter), progress)
        root = Path(named) / request.adapter
    else:
        raise DataError(
            f"data '{request.name}': {request.adapter} needs its files; set {setting}, or "
            f"SKINBENCH_DATA to a folder with {request.adapter}/ in it{_get(request, entry)}"
        )
    if not root.exists():
        raise DataError(
            f"data '{request.name}': {root} does not exist; set {setting}, or "
            f"SKINBENCH_DATA to a folder with {request.adapter}/ in it{_get(request, entry)}"
        )
    if (root / WORKPLACE).exists():
        raise DataError(
            f"data '{request.name}': the download to {root} is not finished; continue it: "
            f"skinbench data download {request.adapter} --root {root}"
        )
    return root.resolve()


def _get(request: DataRequest, entry: DatasetEntry) -> str:
    """How to come by a dataset that is not there."""
    if not entry.info.downloads and not entry.info.download_note:
        return ""
    return f"; to get it: skinbench data download {request.adapter}"


def _prepared(
    adapter: str,
    entry: DatasetEntry,
    options: Mapping[str, object],
    store: Store,
    progress: Progress | None,
) -> Path:
    assert entry.prepare is not None
    prepare = entry.prepare
    name = f"{adapter}-{content_digest([adapter, entry.version, options])}"

    def write(folder: Path) -> None:
        if prepare(folder, options, progress or _unwatched) != folder:
            raise DataError(f"{adapter}: prepare must fill the folder that it is given")

    return store.publish("datasets", name, write)


def _unwatched(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody asked for."""


def requested_space(
    request: DataRequest, entry: DatasetEntry, raw: RawDataset, unmapped: Unmapped | None = None
) -> tuple[LabelSpace, LabelRequest]:
    """The label space that a request asks for, and all that it says about labels.

    Args:
        request: its labels.
        entry: the catalog entry, whose own space serves where none is asked for.
        raw: the labels of its table, where the entry has no space of its own.
        unmapped: instead of what the request says.

    Raises:
        UsageError: there is no such space or choice.
        DataError: a table with fewer than two labels.
    """
    asked = request.labels
    labels = asked if isinstance(asked, LabelRequest) else LabelRequest(space=asked)
    labels = replace(labels, unmapped=unmapped or labels.unmapped)
    try:
        check_choice(labels.ak)
    except UsageError as error:
        raise UsageError(f"data.{request.name}.{error}") from error
    return _label_space(request.name, labels, entry, raw), labels


def _label_space(
    name: str, labels: LabelRequest, entry: DatasetEntry, raw: RawDataset
) -> LabelSpace:
    asked: str | tuple[str, ...] = labels.space or entry.info.label_space
    if not asked:
        codes = {code_of(label): label for label in sorted(set(raw.table["label"].dropna()))}
        if len(codes) < 2:
            raise DataError(
                f"data '{name}': the table has {len(codes)} different labels; two are needed"
            )
        asked = tuple(codes[code] for code in sorted(codes))
    return label_space(asked, ak=labels.ak, own=labels.unmapped == "own")


def _clean_rows(
    cleaner: cleaning.Cleaner,
    request: DataRequest,
    entry: DatasetEntry,
    raw: RawDataset,
    labels: tuple[LabelSpace, LabelRequest],
    folder: Path,
) -> pd.DataFrame:
    """All steps that need the table and the files' presence, but not their content."""
    table = plain_text(raw.table.sort_values("image_id", kind="stable"))
    table = cleaning.drop_duplicate_ids(cleaner, table)
    table, found = label_rows(request.name, table, entry, request.adapter, *labels)
    cleaner.findings.extend(found)
    table = cleaning.drop_missing_files(cleaner, table, folder)
    table = cleaning.treat_null_metadata(cleaner, table)
    if "site" in table:
        sites = [general_site(request.adapter, site) for site in table["site"]]
        table = table.assign(site_general=pd.Series(sites, dtype=object))
    table = table.assign(group_id=cleaning.group_ids(table))
    return cleaning.take_sample(table, request.sample)


def _unused(raw: RawDataset) -> tuple[CleaningFinding, ...]:
    count = len(raw.unused_files)
    if not count:
        return ()
    message = f"{count:,} image file{'s' if count != 1 else ''} that no row names: not used"
    return (
        CleaningFinding(
            kind="unused_file",
            policy="keep",
            count=count,
            message=message,
            items=raw.unused_files,
        ),
    )


# --- on disk -----------------------------------------------------------------------------


def publish_manifest(manifest: Manifest, store: Store) -> Path:
    """Keep a manifest in the store under its digest.

    Name, root and findings are those of whoever published first: equal content is one object.
    """
    return store.publish(
        "manifests",
        manifest.digest,
        lambda folder: export_manifest(manifest, folder / "table.parquet"),
    )


def load_manifest(store: Store, digest: str) -> Manifest:
    """A manifest from the store.

    Raises:
        CorruptObjectError: it is not there, or is damaged.
    """
    return import_manifest(store.open("manifests", digest) / "table.parquet")


def export_manifest(manifest: Manifest, parquet_path: Path) -> None:
    """Write the table as Parquet, and all else as `.json` beside it."""
    facts = _Facts(
        name=manifest.name,
        adapter=manifest.adapter,
        root=manifest.root,
        info=manifest.info,
        label_space=manifest.label_space,
        findings=manifest.findings,
        digest=manifest.digest,
    )
    write_parquet(manifest.table, MANIFEST_SCHEMA, parquet_path)
    write_json(parquet_path.with_suffix(".json"), facts)


def import_manifest(parquet_path: Path) -> Manifest:
    """Read what `export_manifest` wrote.

    Raises:
        StoreError: a file is absent.
        CorruptObjectError: a file is damaged, or the table is not the one that was written.
    """
    facts = read_record(parquet_path.with_suffix(".json"), _Facts)
    table = read_parquet(parquet_path, MANIFEST_SCHEMA)
    if manifest_digest(facts.label_space, table) != facts.digest:
        raise CorruptObjectError(f"{parquet_path} was changed after it was written")
    return Manifest(
        name=facts.name,
        adapter=facts.adapter,
        root=facts.root,
        info=facts.info,
        label_space=facts.label_space,
        table=table,
        findings=facts.findings,
        digest=facts.digest,
    )
