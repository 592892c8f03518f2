"""Outlines of lesion masks, and pictures that hold nothing but pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image, PngImagePlugin

from skinbench.data.outlines import POINTS, drawn, lesion_outline, outline_of
from skinbench.data.pictures import save_picture
from tests.data.made import manifest_of


def disc(path, size=(600, 450), centre=(300, 225), radius=100):
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    mask = np.hypot(x - centre[0], y - centre[1]) < radius
    Image.fromarray((mask * 255).astype(np.uint8)).save(path)


def area(line):
    x, y = np.reshape(line, (-1, 2)).T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_a_disc_is_outlined_in_thousandths_of_each_side(tmp_path):
    disc(tmp_path / "m.png")
    (line,) = outline_of(tmp_path / "m.png")
    x, y = np.reshape(line, (-1, 2)).T
    assert len(x) <= POINTS
    assert abs(x.min() - 1000 * 200 / 600) < 6
    assert abs(y.max() - 1000 * 325 / 450) < 6
    assert abs(area(line) / 1e6 - np.pi * 100**2 / (600 * 450)) < 0.003


def test_a_lesion_at_the_border_is_closed_there_and_specks_are_left_out(tmp_path):
    disc(tmp_path / "m.png", centre=(0, 225))
    with Image.open(tmp_path / "m.png") as picture:
        picture.putpixel((590, 10), 255)
        picture.save(tmp_path / "n.png")
    (line,) = outline_of(tmp_path / "n.png")
    assert min(line[::2]) <= 1
    assert abs(area(line) / 1e6 - np.pi * 100**2 / 2 / (600 * 450)) < 0.004


def test_without_a_mask_there_is_no_outline(tmp_path):
    manifest = manifest_of(["nv"] * 3, ["a", "b", "c"])
    (tmp_path / "bad.png").write_text("no picture")
    Image.new("L", (30, 20)).save(tmp_path / "empty.png")
    table = manifest.table.assign(mask_path=[None, "bad.png", "empty.png"])
    manifest = dataclasses.replace(manifest, root=tmp_path, table=table)
    assert [lesion_outline(manifest, name) for name in table["image_id"]] == [()] * 3


def test_the_line_is_seen_on_dark_and_on_light(tmp_path):
    disc(tmp_path / "m.png")
    outline = outline_of(tmp_path / "m.png")
    for level in (0, 255):
        plain = Image.new("RGB", (192, 144), (level,) * 3)
        changed = np.asarray(drawn(plain, outline)) != np.asarray(plain)
        assert 150 < changed.any(axis=2).sum() < 2500


def test_a_picture_holds_pixels_and_nothing_else(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))
    exif = picture.getexif()
    exif[0x010E] = "SECRET-PATIENT"  # ImageDescription
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 0.0)}  # GPS
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "SECRET-COMMENT")
    sources = {
        "a.jpg": {"exif": exif, "comment": b"SECRET-COMMENT", "icc_profile": b"SECRET-PROFILE"},
        "b.webp": {"exif": exif, "xmp": b"SECRET-XMP", "icc_profile": b"SECRET-PROFILE"},
        "c.png": {"exif": exif, "pnginfo": note},
    }
    for name, options in sources.items():
        picture.save(tmp_path / name, **options)
        assert b"SECRET" in (tmp_path / name).read_bytes()
        with Image.open(tmp_path / name) as opened:
            save_picture(tmp_path / "kept.webp", opened, 64)
        content = (tmp_path / "kept.webp").read_bytes()
        assert b"SECRET" not in content
        assert not {b"EXIF", b"XMP ", b"ICCP"} & {
            content[at : at + 4] for at in range(len(content))
        }
        with Image.open(tmp_path / "kept.webp") as kept:
            assert kept.size == (64, 48)
            assert not kept.getexif()
