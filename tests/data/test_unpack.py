import random
import shutil
import zipfile

import pytest

from skinbench.data.unpack import Limits, unpack
from skinbench.errors import DataError, ResourceError
from tests.data import archives
from tests.data.archives import named, of_kind, zipped


@pytest.fixture
def place(tmp_path):
    """A folder to unpack in, and around it one that must stay as it is."""
    (tmp_path / "around" / "in").mkdir(parents=True)
    return tmp_path / "around" / "in"


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def run(place, content, **settings):
    archive = place.parent.parent / "it.zip"
    archive.write_bytes(content)
    return unpack(archive, place / "out", **settings)


def refused(place, content, kind=DataError, **settings):
    """The one line of a refusal, after which nothing is anywhere."""
    with pytest.raises(kind) as caught:
        run(place, content, **settings)
    message = str(caught.value)
    assert message.startswith("it.zip")
    assert message.isprintable()
    assert listing(place.parent) == ["in"]
    assert listing(place.parent.parent) == ["around", "around/in", "it.zip"]
    return message


def outcome(place, content):
    """The one line of a refusal; empty where it unpacks."""
    try:
        run(place, content)
    except (DataError, ResourceError) as error:
        return str(error)
    return ""


def test_an_honest_archive(place):
    seen = []
    members = {"images/a.jpg": b"a" * 3000, "table.csv": b"a,b\n" * 90, "empty/": b""}
    members |= {"__MACOSX/images/._a.jpg": b"litter", "images/.DS_Store": b"litter"}
    sizes = run(
        place, zipped(members, zipfile.ZIP_DEFLATED), advance=lambda *step: seen.append(step)
    )
    assert sizes == {"images/a.jpg": 3000, "table.csv": 360}
    out = place / "out"
    assert listing(out) == ["empty", "images", "images/a.jpg", "table.csv"]
    assert (out / "images/a.jpg").read_bytes() == b"a" * 3000
    assert seen == [(3000, 3360), (3360, 3360)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "has no name"),
        ("../evil.txt", "leaves the folder"),
        ("a/../../evil.txt", "leaves the folder"),
        ("..", "leaves the folder"),
        ("/etc/evil.txt", "absolute"),
        ("//host/share", "absolute"),
        ("C:/evil.txt", "drive"),
        ("C:evil.txt", "drive"),
        ("a.txt:stream", "drive or a stream"),
        ("..\\evil.txt", "backslash"),
        ("C:\\evil.txt", "backslash"),
        ("a\\b.txt", "backslash"),
        ("a\nb.txt", "control character"),
        ("a\x1b[31m.txt", "control character"),
        ("a\u202eb.txt", "control character"),
        ("a//b.txt", "empty step"),
        ("./a.txt", "empty step"),
        ("a/./b.txt", "empty step"),
        ("con.txt", "Windows"),
        ("a./b.txt", "Windows"),
        ("a ", "Windows"),
        ("x" * 300, "too long"),
        ("a/" * 30 + "b", "too long"),
    ],
)
def test_names_that_leave_or_mislead(place, name, why):
    message = refused(place, named(name))
    assert why in message
    assert "member" in message


def test_a_name_with_a_nul(place):
    content = named("evil.txt_.jpg").replace(b"evil.txt_.jpg", b"evil.txt\0.jpg")
    assert "control character" in refused(place, content)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.txt", "a.txt"), "'a.txt' twice"),
        (("a/", "a/", "a/b"), "'a' twice"),
        (("a.txt", "A.TXT"), "one name on some file systems"),
        (("img/a.jpg", "IMG/b.jpg"), "one name on some file systems"),
        (("\u00e9.txt", "e\u0301.txt"), "one name on some file systems"),
        (("stra\u00dfe", "STRASSE"), "one name on some file systems"),
        (("a", "a/b"), "as a file and as a folder"),
        (("a/b", "a"), "as a file and as a folder"),
    ],
)
def test_names_that_collide(place, names, why):
    assert why in refused(place, named(*names))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (archives.LINK, "symbolic link"),
        (archives.DEVICE, "device"),
        (archives.PIPE, "device, a pipe"),
    ],
)
def test_links_and_devices(place, kind, why):
    assert why in refused(place, of_kind(kind))


def test_bombs(place):
    assert "is a bomb" in refused(place, archives.bomb())
    many = {f"{i}.bin": bytes(1 << 20) for i in range(12)}
    message = refused(place, zipped(many, zipfile.ZIP_DEFLATED))
    assert "unpack to 12,582,912" in message
    assert "overlap" in refused(place, archives.overlapping())
    small = zipped({"a": b"x" * 500, "b": b"y" * 600})
    assert "unpacks to 1,100 bytes, more than 1,000" in refused(
        place, small, limits=Limits(bytes=1000)
    )
    assert "has 2 members, more than 1" in refused(place, small, limits=Limits(members=1))


def test_tables_pack_well_and_are_no_bombs(place):
    table = b"0.0,0.0,1.0,0.0\n" * 20_000
    assert run(place, zipped({"t.csv": table}, zipfile.ZIP_DEFLATED)) == {"t.csv": len(table)}


def test_a_member_that_lies_about_its_size(place):
    assert "nothing was unpacked" in refused(place, archives.larger_than_said(3))
    assert "nothing was unpacked" in refused(place, archives.larger_than_said(20_000))


def test_the_disk_is_full(place, monkeypatch):
    usage = type("Usage", (), {"free": 250_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    run(place, zipped({"a": b"x"}))
    (place / "out" / "a").unlink()
    (place / "out").rmdir()
    usage.free = 100_000_000
    message = refused(place, zipped({"a": b"x"}), ResourceError)
    assert "0.1 GB free" in message
    assert "make room" in message


def test_encrypted_and_odd_methods(place):
    assert "is encrypted" in refused(place, archives.encrypted())
    assert "packed by method 99" in refused(place, archives.of_method(99))
    assert "packed by method 12" in refused(place, archives.of_method(12))  # bzip2


def test_damage(place):
    honest = zipped({"a.bin": bytes(range(256)) * 20, "b.bin": b"b"})
    flipped = bytearray(honest)
    flipped[1000] ^= 1
    assert "is damaged (Bad CRC-32 for file 'a.bin')" in refused(place, bytes(flipped))
    packed = zipped({"a.bin": random.Random(0).randbytes(5000)}, zipfile.ZIP_DEFLATED)
    broken = packed[:60] + b"\xff" * 40 + packed[100:]
    assert "is damaged" in refused(place, broken)
    assert "cut off or damaged" in refused(place, honest[:-100])
    assert "cut off or damaged" in refused(place, honest[: len(honest) // 2])
    assert "packed bytes" in refused(place, honest[500:])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\n <!DOCTYPE html><html>Log in</html>", "is a web page, not a zip"),
        (b"", "is empty"),
        (b"\x1f\x8b tar.gz", "is not a zip"),
        (b"image_id,dx\n", "is not a zip"),
        (zipped({}), "has no files"),
        (zipped({"a/": b"", "__MACOSX/x": b"x"}), "has no files"),
    ],
)
def test_what_is_no_archive(place, content, why):
    assert why in refused(place, content)


def test_every_truncation_and_many_flips_are_one_line(place):
    honest = zipped({"a/b.csv": b"a,b\n" * 9, "c.bin": b"12345"}, zipfile.ZIP_DEFLATED)
    for length in range(0, len(honest), 7):
        refused(place, honest[:length])
    outcomes = set()
    for at in range(len(honest)):
        flipped = bytearray(honest)
        flipped[at] ^= 0x55
        message = outcome(place, bytes(flipped))
        outcomes.add(bool(message))
        assert message.isprintable()
        assert bool(message) != (place / "out").exists()
        if not message:
            for path in (place / "out").rglob("*"):
                assert path.is_dir() or path.read_bytes() in (b"a,b\n" * 9, b"12345")
            shutil.rmtree(place / "out")
        assert listing(place.parent) == ["in"]
    assert outcomes == {True, False}


def test_an_interruption_leaves_nothing(place):
    def stop(done, due):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(place, zipped({"a": b"a", "b": b"b"}), advance=stop)
    assert listing(place) == []
