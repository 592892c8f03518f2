import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

from skinbench.data import images
from skinbench.data.images import decode_rgb, examine_files, strict_pillow
from skinbench.store import Store, file_digest
from tests.data.ham10000.make import write_image


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def pixel(image: Image.Image) -> tuple[int, ...]:
    decoded = decode_rgb(encoded(image))
    assert decoded.mode == "RGB"
    return decoded.getpixel((0, 0))


def test_grey_and_black_and_white() -> None:
    assert pixel(Image.new("L", (2, 2), 77)) == (77, 77, 77)
    assert pixel(Image.new("1", (2, 2), 1)) == (255, 255, 255)


def test_transparent_becomes_white() -> None:
    assert pixel(Image.new("RGBA", (2, 2), (10, 20, 30, 0))) == (255, 255, 255)
    assert pixel(Image.new("RGBA", (2, 2), (10, 20, 30, 255))) == (10, 20, 30)
    assert pixel(Image.new("LA", (2, 2), (10, 0))) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([200, 100, 50])
    assert pixel(palette) == (200, 100, 50)
    palette.info["transparency"] = 0
    assert pixel(palette) == (255, 255, 255)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257, 1), (32896, 128), (65535, 255)])
def test_sixteen_bits(value: int, expected: int) -> None:
    image = Image.fromarray(np.full((2, 2), value, dtype=np.uint16))
    assert pixel(image) == (expected,) * 3


def test_a_dark_sixteen_bit_image_stays_dark() -> None:
    assert pixel(Image.fromarray(np.full((2, 2), 200, dtype=np.uint16))) == (0, 0, 0)


def test_cmyk_jpeg_and_float_tiff() -> None:
    cmyk = decode_rgb(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert cmyk.mode == "RGB"
    assert cmyk.getpixel((0, 0)) == (255, 255, 255)
    grey = Image.fromarray(np.full((2, 2), 12.0, dtype=np.float32))
    assert decode_rgb(encoded(grey, "TIFF")).getpixel((0, 0)) == (12, 12, 12)


def test_exif_rotation_is_honoured() -> None:
    pixels = np.zeros((8, 16, 3), dtype=np.uint8)
    pixels[:, :8] = 255  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left becomes top
    turned = decode_rgb(encoded(Image.fromarray(pixels), "JPEG", exif=exif, quality=100))
    assert turned.size == (8, 16)
    assert min(turned.getpixel((4, 1))) > 240
    assert max(turned.getpixel((4, 14))) < 15


def test_a_palette_with_an_alpha_per_colour() -> None:
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([9, 9, 9, 200, 100, 50])
    assert decode_rgb(encoded(palette, transparency=bytes([255, 0]))).getpixel((0, 0)) == (
        255, 255, 255,
    )  # fmt: skip
    assert decode_rgb(encoded(palette, transparency=bytes([0, 255]))).getpixel((0, 0)) == (
        200, 100, 50,
    )  # fmt: skip


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_of_an_animation_the_first_picture_is_taken(file_format: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert decode_rgb(data).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_in_three_channels() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32896, 0) * 2 for _ in range(2))
    assert decode_rgb(png(2, 2, 16, rows)).getpixel((0, 0)) == (255, 128, 0)


def test_one_pixel_and_a_wrong_ending(tmp_path: Path, store: Store) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    (fact,) = examine_files([tmp_path / "a.jpg"], store, "images")
    assert (fact.width, fact.height, fact.problem) == (1, 1, "")


def png(width: int, height: int, bits: int, rows: bytes) -> bytes:
    """An RGB PNG whose header says what it likes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, store: Store) -> None:
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, 8, b""))
    tracemalloc.start()
    (fact,) = examine_files([tmp_path / "bomb.png"], store, "images")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "DecompressionBomb" in fact.problem
    assert peak < 50_000_000


def test_postscript_is_never_run(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)  # a call would be a TypeError
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "a.jpg").write_bytes(head)
    (fact,) = examine_files([tmp_path / "a.jpg"], store, "images")
    assert fact.problem == "not an image of a known format"


def bad_files(folder: Path) -> dict[str, Path]:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), "JPEG")
    contents = {
        "empty": b"",
        "text": b"not an image at all",
        "truncated": whole[: len(whole) // 2],
        "header_only": whole[:200],
    }
    folder.mkdir(exist_ok=True)
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / f"{name}.jpg"
        paths[name].write_bytes(content)
    return paths


@pytest.mark.parametrize("elsewhere", [False, True])
def test_unreadable_files_have_a_problem(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    # what another library of the same process may have set: weasyprint does
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", elsewhere)
    paths = bad_files(tmp_path)
    facts = examine_files(list(paths.values()), store, "images")
    assert all(fact.problem and (fact.width, fact.height) == (0, 0) for fact in facts)
    assert [fact.digest for fact in facts] == [file_digest(path) for path in paths.values()]
    assert facts[0].problem == "the file is empty"


def test_an_image_with_too_many_pixels_is_unreadable(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.png", seed=1, size=(40, 40))
    for limit in (1500, 500):  # Pillow warns above the limit and raises above its double
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        facts = examine_files([tmp_path / "a.png"], store, f"images-{limit}")
        assert "DecompressionBomb" in facts[0].problem


def test_facts_are_remembered_until_the_file_changes(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "a.png", *bad_files(tmp_path / "bad").values()]
    write_image(paths[0], seed=1, size=(7, 5))
    calls: list[tuple[str, int, int]] = []
    first = examine_files(paths, store, "images", lambda *call: calls.append(call))
    assert (first[0].width, first[0].height, first[0].problem) == (7, 5, "")
    assert calls == [("reading images", 5, 5)]
    with monkeypatch.context() as context:
        context.setattr(images, "_examine", None)
        assert examine_files(paths, store, "images") == first
    write_image(paths[0], seed=2, size=(9, 9))
    again = examine_files(paths, store, "images")
    assert (again[0].width, again[1:]) == (9, first[1:])


def test_a_file_that_cannot_be_opened_is_asked_again(tmp_path: Path, store: Store) -> None:
    fact, image = images._examine(tmp_path)  # a folder
    assert image is None
    assert fact.problem
    assert images._from_text(images._to_text(fact)) is None


def test_a_remembered_line_that_is_damaged_is_read_anew() -> None:
    for text in (None, "", "abc", "abc 1", "abc x y "):
        assert images._from_text(text) is None


def test_the_filters_of_warnings_come_back() -> None:
    import warnings

    before = list(warnings.filters)
    with strict_pillow():
        pass
    assert list(warnings.filters) == before
