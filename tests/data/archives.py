"""Zips, honest and hostile, made byte by byte where the library would not make them."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An honest zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return buffer.getvalue()


def named(name: str, *others: str, content: bytes = b"x") -> bytes:
    """A zip with members of any names, also twice the same; they are not cleaned."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        for item in ("fine.txt", name, *others):
            info = zipfile.ZipInfo("placeholder")
            info.filename = item
            archive.writestr(info, b"" if item.endswith("/") else content)
    return buffer.getvalue()


def of_kind(kind: int, content: bytes = b"/etc/passwd") -> bytes:
    """A zip with a member of a special kind: a link, a device, ..."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("fine.txt", "x")
        info = zipfile.ZipInfo("special")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, content)
    return buffer.getvalue()


LINK, DEVICE, PIPE = stat.S_IFLNK, stat.S_IFBLK, stat.S_IFIFO


def bomb(mebibytes: int = 16) -> bytes:
    """A member of zeros, packed a thousandfold."""
    return zipped({"zeros.bin": bytes(mebibytes << 20)}, zipfile.ZIP_DEFLATED)


def overlapping(copies: int = 9) -> bytes:
    """Many members that share one packed body (Fifield 2019), so that no ratio looks wrong."""
    body = bytes(range(256)) * 400
    plain = zipped({"a": body})
    end = plain.rindex(b"PK\5\6")
    start = struct.unpack("<I", plain[end + 16 : end + 20])[0]
    entry = plain[start:end]
    directory = b"".join(entry[:46] + bytes([48 + i]) + entry[47:] for i in range(copies))
    tail = bytearray(plain[end:])
    tail[8:12] = struct.pack("<HH", copies, copies)
    tail[12:16] = struct.pack("<I", len(directory))
    return plain[:start] + directory + bytes(tail)


def encrypted() -> bytes:
    """A zip whose member says that it is encrypted."""
    return patched(zipped({"secret.csv": b"a,b\n"}), 8, struct.pack("<H", 1))


def of_method(method: int) -> bytes:
    """A zip whose member says that it is packed by another method."""
    return patched(zipped({"odd.csv": b"a,b\n"}), 10, struct.pack("<H", method))


def larger_than_said(said: int = 3) -> bytes:
    """A zip whose member unpacks to more than both its headers say."""
    content = bytes(range(256)) * 40
    return patched(zipped({"a.bin": content}, zipfile.ZIP_DEFLATED), 24, struct.pack("<I", said))


def patched(archive: bytes, offset: int, value: bytes) -> bytes:
    """Change a field of the first member in the directory and in its own header."""
    made = bytearray(archive)
    at = archive.index(b"PK\1\2") + offset
    made[at : at + len(value)] = value
    made[offset - 2 : offset - 2 + len(value)] = value
    return bytes(made)
