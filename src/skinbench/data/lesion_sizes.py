"""How much of each image's frame its lesion covers, from the masks that come with a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from skinbench.data.images import Progress, strict_pillow
from skinbench.errors import CorruptObjectError
from skinbench.records import Manifest
from skinbench.store import Store, content_digest, replacing
from skinbench.store.parquet import read_parquet_table

_VERSION = 1
_FILE = "sizes.parquet"
_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),  # of the frame's pixels, above 0
    ]
)


def measure_lesions(
    manifest: Manifest, store: Store, *, workers: int, progress: Progress | None = None
) -> dict[str, float]:
    """Image id to the share of its mask's pixels that are lesion; measured once for all runs.

    Images without a mask, with an empty one, or with one that cannot be read have no size: they
    are in no subgroup by size. A share of the frame is no length: magnification differs from
    picture to picture and is not recorded.

    Args:
        manifest: its root holds the masks.
        store: remembers the result.
        workers: threads that decode.
        progress: called as masks are read.

    Raises:
        StoreError: the disk is full or read-only.
    """
    named = [
        (str(image_id), manifest.root / path)
        for image_id, path in zip(
            manifest.table["image_id"], manifest.table["mask_path"], strict=True
        )
        if isinstance(path, str) and path and (manifest.root / path).is_file()
    ]
    if not named:
        return {}
    masks = store.digests_of([path for _, path in named], f"masks-{manifest.adapter}")
    digest = content_digest(["lesion_sizes", _VERSION, manifest.digest, masks])

    def write(folder: Path) -> None:
        found = {}
        with strict_pillow(), ThreadPoolExecutor(workers) as pool:
            shares = pool.map(_share, [path for _, path in named])
            for done, ((image_id, _), share) in enumerate(zip(named, shares, strict=True), start=1):
                found[image_id] = share
                if progress is not None and (done % 100 == 0 or done == len(named)):
                    progress("measuring lesions", done, len(named))
        write_sizes(folder / _FILE, found)

    store.publish("lesion_sizes", digest, write)
    return read_sizes(store.open("lesion_sizes", digest) / _FILE)


def write_sizes(path: Path, sizes: Mapping[str, float]) -> None:
    """Write shares above 0, sorted by image id."""
    kept = sorted((image_id, share) for image_id, share in sizes.items() if share > 0)
    columns = [[image_id for image_id, _ in kept], [share for _, share in kept]]
    table = pa.Table.from_arrays(
        [pa.array(column, type=field.type) for column, field in zip(columns, _SCHEMA, strict=True)],
        schema=_SCHEMA,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_sizes(path: Path) -> dict[str, float]:
    """Read what `write_sizes` wrote.

    Raises:
        CorruptObjectError: the file is damaged or of another kind.
    """
    try:
        found = read_parquet_table(path).select(_SCHEMA.names).replace_schema_metadata(None)
        frame: pd.DataFrame = found.cast(_SCHEMA).to_pandas()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise CorruptObjectError(
            f"{path} cannot be read ({reason}); run the suite again to renew it"
        ) from error
    return dict(zip(frame["image_id"].astype(str), frame["share"].astype(float), strict=True))


def _share(path: Path) -> float:
    """0 for a mask that is empty or cannot be read."""
    try:
        with Image.open(path) as image:
            counts = image.convert("L").histogram()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0.0
    return float(sum(counts[128:]) / sum(counts))
