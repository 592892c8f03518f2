"""Pictures to upload: ordinary ones, odd ones, and ones that mean harm."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def picture(width: int = 60, height: int = 45, seed: int = 0) -> Image.Image:
    """Skin with a dark spot, drawn."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    spot = np.exp(-(((x / width - 0.5) / 0.2) ** 2 + ((y / height - 0.5) / 0.25) ** 2))
    values = np.array([214, 160, 140]) - spot[..., None] * np.array([110, 100, 80])
    noisy = values + generator.normal(0, 6, values.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def rotated_by_exif() -> bytes:
    """A landscape picture whose EXIF says that it stands upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture(), exif=exif.tobytes())


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few kB that says it is 30,000 x 30,000 pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 10_000)
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def grey_16() -> bytes:
    """16-bit grey PNG."""
    values = np.linspace(0, 65535, 60 * 45).reshape(45, 60).astype(np.uint16)
    return saved(Image.fromarray(values), "PNG")


def cmyk() -> bytes:
    """JPEG in CMYK."""
    return saved(picture().convert("CMYK"))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:9/x"/></svg>'
HTML = b"<html><script>alert(1)</script></html>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) show\n"
