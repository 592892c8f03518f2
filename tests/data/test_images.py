import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def bad_files(folder: Path) -> dict[str, Path]:
    whole = encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")
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


def test_unreadable_files_have_a_problem(tmp_path: Path, store: Store) -> None:
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
    fact = images._examine(tmp_path)  # a folder
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
