"""Uploads from strangers: an image, or one line; what a bundle needs to be installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skinbench.bundle.images import read_image
from skinbench.data.images import strict_pillow
from skinbench.errors import DataError
from tests.serve import pictures

KINDS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
WHOLE = {kind: pictures.saved(pictures.picture(24, 18), kind) for kind in KINDS}


def tried(data: bytes) -> None:
    """An image within bounds, or one line."""
    said, read = "", None
    try:
        with strict_pillow():
            read = read_image(data)
    except DataError as error:
        said = str(error)
    if read is None:
        assert said
        assert "\n" not in said
    else:
        assert read.image.mode == "RGB"
        assert (read.width, read.height) == read.image.size


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(kind):
    read = read_image(WHOLE[kind])
    assert read.image.size == (24, 18)
    assert read.notes == ()


@settings(max_examples=120)
@given(
    kind=st.sampled_from(KINDS),
    places=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8),
    kept=st.floats(0, 1),
)
def test_damaged_files_are_an_image_or_one_line(kind, places, kept):
    data = bytearray(WHOLE[kind])
    for place, value in places:
        data[place % len(data)] = value
    tried(bytes(data))
    tried(bytes(data[: int(kept * len(data))]))


@settings(max_examples=60)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0"]),
)
def test_anything_else_is_one_line(tail, head):
    tried(head + tail)


def test_the_size_is_looked_at_before_anything_is_decoded(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", refuse)
    for kind in ("PNG", "JPEG"):
        with pytest.raises(DataError, match="megapixels"):
            read_image(WHOLE[kind], most_pixels=100)


def test_the_extra_of_the_page_names_neither_torch_nor_ray():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = " ".join([*project["optional-dependencies"]["serve"], *project["dependencies"]])
    assert not [name for name in ("torch", "ray", "timm", "skinbench[") if name in named]
