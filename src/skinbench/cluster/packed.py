"""A run folder in a job's log: how a report comes back through the job server's port alone.

`PROGRAM` runs on the cluster with the standard library alone and prints the folder as a zip, in
lines of base64 between two marks; `unpacked` reads them from the log here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
import zlib
from pathlib import Path

from skinbench.data.unpack import Limits, unpack
from skinbench.errors import DataError, ResourceError

LIMIT = 1 << 30
"""Bytes of a folder that is fetched so; beyond, copy it from the shared folder."""
BEGIN, END = "skinbench-folder", "skinbench-end"

PROGRAM = f"""
import base64, hashlib, io, os, sys, zipfile, zlib
root = os.path.expandvars(sys.argv[1])
if not os.path.isdir(root):
    sys.exit("no folder " + root)
names = sorted(
    os.path.relpath(os.path.join(at, name), root)
    for at, _, found in os.walk(root)
    for name in found
)
names = [name for name in names if not os.path.basename(name).startswith(".")]
if sum(os.path.getsize(os.path.join(root, name)) for name in names) > {LIMIT}:
    sys.exit("larger than {LIMIT} bytes: copy it from " + root)
made = io.BytesIO()
with zipfile.ZipFile(made, "w") as archive:
    for name in names:
        with open(os.path.join(root, name), "rb") as file:
            archive.writestr(zipfile.ZipInfo(name), file.read())
whole = made.getvalue()
print("{BEGIN}", len(whole), hashlib.sha256(whole).hexdigest())
text = base64.b64encode(zlib.compress(whole, 1)).decode()
for start in range(0, len(text), 8000):
    print(text[start : start + 8000])
print("{END}", flush=True)
"""


def unpacked(log: str, folder: Path) -> dict[str, int]:
    """Write the folder that a log holds; nothing where anything of it is amiss.

    Args:
        log: what PROGRAM printed, among other lines.
        folder: does not exist yet.

    Returns:
        Path in the folder to bytes.

    Raises:
        ResourceError: the log holds no folder, or half of one.
        DataError: it is not what was packed.
    """
    lines = [line.strip() for line in log.splitlines()]
    begin = next((k for k, line in enumerate(lines) if line.startswith(f"{BEGIN} ")), None)
    if begin is None or END not in lines[begin:]:
        last = next((line for line in reversed(lines) if line), "its log is empty")
        raise ResourceError(f"nothing came back: {last}")
    try:
        _, size, digest = lines[begin].split()
        text = "".join(lines[begin + 1 : lines.index(END, begin)])
        packed = base64.b64decode(text, validate=True)
        whole = zlib.decompressobj().decompress(packed, min(int(size), 2 * LIMIT) + 1)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise DataError(f"what came back is damaged ({error}); fetch it again") from error
    if hashlib.sha256(whole).hexdigest() != digest:
        raise DataError("what came back is not what was packed; fetch it again")
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "folder.zip"
        archive.write_bytes(whole)
        return unpack(archive, folder, Limits(bytes=2 * LIMIT))
