import hashlib
import json
import random
import socket

import pytest

from skinbench.data.fetch import fetch
from skinbench.data.server import Patience, remote_size
from skinbench.errors import DataError, ResourceError
from skinbench.records import Download
from tests.data.served import Server

BODY = random.Random(0).randbytes(700_000)
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
SHA = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def get(server, tmp_path):
    """Fetch /a.zip of the server; `get.waits` are the pauses between attempts."""

    class Get:
        def __init__(self):
            self.folder, self.waits, self.seen = tmp_path, [], []

        def __call__(self, url=None, timeout=240.0, attempts=3, **settings):
            download = Download(
                **{"url": "unused", "file_name": "a.zip", "unpack": True, **settings}
            )
            self.waits, self.seen = [], []
            return fetch(
                download,
                url or f"{server.url}/a.zip",
                tmp_path,
                Patience(timeout=timeout, attempts=attempts, pause=self.waits.append),
                lambda *step: self.seen.append(step),
            )

        def refused(self, *words, kind=DataError, **settings):
            with pytest.raises(kind) as caught:
                self(*words, **settings)
            assert str(caught.value).isprintable()
            assert not (tmp_path / "a.zip").exists()
            return str(caught.value)

        def part(self):
            path = tmp_path / "a.zip.part"
            return path.stat().st_size if path.exists() else None

    return Get()


def ranges(served):
    return [request.get("Range") for request in served.requests]


def test_a_whole_file(server, get):
    served = server.add("a.zip", BODY)
    assert get(bytes=len(BODY), digest=MD5).read_bytes() == BODY
    assert get.seen[0] == (0, len(BODY))
    assert get.seen[-1] == (len(BODY), len(BODY))
    assert sorted(path.name for path in get.folder.iterdir()) == ["a.zip"]
    assert served.requests[0]["User-Agent"].startswith("skinbench/")
    get(digest=SHA)  # complete: the server is not asked again
    assert len(served.requests) == 1


def test_cut_offs_are_continued(server, get):
    served = server.add("a.zip", BODY, cuts=[300_000, 1000, 0, 200_000])
    assert get(digest=SHA).read_bytes() == BODY
    assert ranges(served) == [
        None,
        "bytes=300000-",
        "bytes=301000-",
        "bytes=301000-",
        "bytes=501000-",
    ]
    assert {request.get("If-Range") for request in served.requests} == {None, '"one"'}
    assert len(get.waits) == 4
    assert [done for done, _ in get.seen] == sorted(done for done, _ in get.seen)


def test_giving_up_keeps_the_part_and_the_next_call_continues(server, get):
    served = server.add("a.zip", BODY, cuts=[100_000, 0, 0, 0])
    message = get.refused()
    assert "was cut off at 100,000 of 700,000 bytes" in message
    assert "the same command continues" in message
    assert get.part() == 100_000
    assert get().read_bytes() == BODY
    assert ranges(served)[-1] == "bytes=100000-"


def test_chunked_answers(server, get):
    served = server.add("a.zip", BODY, chunked=True, cuts=[350_000])
    assert get(digest=MD5).read_bytes() == BODY
    assert ranges(served) == [None, "bytes=350000-"]


def test_a_server_without_ranges_starts_anew(server, get):
    served = server.add("a.zip", BODY, ranges=False, cuts=[300_000])
    assert get(digest=SHA).read_bytes() == BODY
    assert ranges(served) == [None, "bytes=300000-"]
    hopeless = server.add("a.zip", BODY, ranges=False, cuts=[300_000] * 9)
    (get.folder / "a.zip").unlink()
    assert "was cut off at 300,000" in get.refused()
    assert len(hopeless.requests) == 4  # one that brought something, three that did not


@pytest.mark.parametrize("lies", [False, True])
def test_a_file_that_changes_between_attempts_starts_anew(server, get, lies):
    server.add("a.zip", b"old" * 200_000, etag='"old"', cuts=[300_000, 0, 0, 0])
    get.refused()
    assert get.part() == 300_000
    served = server.add("a.zip", BODY, etag='"new"', lies=lies)
    assert get(digest=SHA).read_bytes() == BODY
    assert ranges(served)[0] == "bytes=300000-"


def test_a_file_that_became_shorter(server, get):
    server.add("a.zip", BODY, cuts=[300_000, 0, 0, 0])
    get.refused()
    shorter = BODY[:1000]
    served = server.add("a.zip", shorter, lies=True)  # answers 416
    assert get().read_bytes() == shorter
    assert ranges(served) == ["bytes=300000-", None]


@pytest.mark.parametrize("settings", [{"etag": None}, {"etag": 'W/"weak"'}])
def test_without_a_strong_validator_nothing_is_continued(server, get, settings):
    served = server.add("a.zip", BODY, cuts=[300_000], **settings)
    assert get().read_bytes() == BODY
    assert ranges(served) == [None, None]


def test_a_date_is_a_validator(server, get):
    date = "Sat, 01 Aug 2020 00:00:00 GMT"
    served = server.add("a.zip", BODY, etag=None, modified=date, cuts=[300_000])
    assert get().read_bytes() == BODY
    assert served.requests[1]["If-Range"] == date


@pytest.mark.parametrize("note", ["", "{", "[]", '{"total": 5}', '{"total": "x", "validator": 1}'])
def test_a_part_with_a_broken_note_is_not_trusted(server, get, note):
    (get.folder / "a.zip.part").write_bytes(b"rubbish" * 1000)
    (get.folder / "a.zip.part.json").write_text(note)
    server.add("a.zip", BODY)
    assert get().read_bytes() == BODY


def test_a_complete_part_is_checked_without_asking(server, get):
    (get.folder / "a.zip.part").write_bytes(BODY)
    note = {"total": len(BODY), "validator": '"one"'}
    (get.folder / "a.zip.part.json").write_text(json.dumps(note))
    assert get(digest=MD5).read_bytes() == BODY  # the server has no such file


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_another_content_than_published(server, get, kind):
    server.add("a.zip", BODY[:-1] + bytes([BODY[-1] ^ 1]))
    wanted = {"md5": MD5, "sha256": SHA}[kind]
    message = get.refused(digest=wanted)
    assert f"has {kind} " in message
    assert wanted.partition(":")[2] in message
    assert get.part() is None  # not continued from


def test_another_length_than_published(server, get):
    served = server.add("a.zip", BODY)
    message = get.refused(bytes=699_999)
    assert "has 700,000 bytes there, not the 699,999 that are published" in message
    assert len(served.requests) == 1
    server.add("a.zip", BODY, chunked=True)
    assert "more than the 699,999 bytes due" in get.refused(bytes=699_999)
    assert "ended before its 700,001 bytes" in get.refused(bytes=700_001)


def test_what_could_not_be_known_to_be_complete(server, get):
    server.add("a.zip", BODY, tells_length=False)
    assert "does not tell the length" in get.refused(unpack=False)
    assert get(digest=SHA, unpack=False).read_bytes() == BODY


def test_a_login_page(server, get):
    server.add("a.zip", b"<html>Log in</html>", kind="text/html; charset=utf-8")
    assert "answers with a web page, not with a.zip" in get.refused()
    server.add("a.zip", BODY, encoding="gzip")
    assert "re-encoded as gzip" in get.refused()


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (401, "asks for a login (HTTP 401)"),
        (403, "refuses access (HTTP 403)"),
        (404, "is not there; it may have moved (HTTP 404)"),
        (410, "no longer there"),
        (418, "HTTP 418"),
    ],
)
def test_refusals_are_final(server, get, status, part):
    served = server.add("a.zip", BODY, statuses=[status])
    assert part in get.refused()
    assert (len(served.requests), get.waits) == (1, [])


def test_outages_are_waited_for(server, get):
    served = server.add("a.zip", BODY, statuses=[503, 429])
    assert get().read_bytes() == BODY
    assert len(served.requests) == 3
    assert get.waits == [2.0, 4.0]
    (get.folder / "a.zip").unlink()
    served.statuses += [500] * 9
    assert "answers 500" in get.refused()
    assert len(served.requests) == 6


def test_redirects(server, get):
    """Dataverse sends on to a signed address: what is continued is asked for there."""
    moved = server.add("bucket/b", BODY, cuts=[300_000])
    front = server.add("a.zip", redirect=f"{server.url}/bucket/b?signature=secret")
    assert get(digest=SHA).read_bytes() == BODY
    assert len(front.requests) == 2
    assert ranges(moved) == [None, "bytes=300000-"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,x"])
def test_redirects_out_of_the_web(server, get, target):
    server.add("a.zip", redirect=target)
    assert "redirects " in get.refused()
    assert get.part() is None


def test_redirects_in_circles(server, get):
    server.add("a.zip", redirect=f"{server.url}/a.zip")
    assert "HTTP 302" in get.refused()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "nonsense", "http://[", "http://a b/"])
def test_addresses_that_are_none(get, url):
    assert "address" in get.refused(url)


def test_a_server_that_stalls(server, get):
    served = server.add("a.zip", BODY, stalls=1)
    # One stall is sure; a busy machine may add some of its own.
    assert get(timeout=0.3, attempts=50).read_bytes() == BODY
    assert len(served.requests) > 1


def test_no_server(get):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        message = get.refused(f"http://127.0.0.1:{taken.getsockname()[1]}/a.zip?secret=1")
    assert "cannot be reached" in message
    assert "secret" not in message
    assert len(get.waits) == 2


def test_no_network(get, monkeypatch):
    def fail(*words, **settings):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.create_connection", fail)
    message = get.refused("http://nowhere.invalid/a.zip")
    assert "is there a network?" in message
    assert get.waits == []


def test_a_full_disk_keeps_the_part(server, get, monkeypatch):
    server.add("a.zip", BODY)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *words):
            return None

        def write(self, block):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("skinbench.data.fetch._opened", lambda part: Full())
        message = get.refused(kind=ResourceError)
    assert "No space left on device" in message
    assert get().read_bytes() == BODY


def test_remote_size(server):
    quick = Patience(timeout=240, attempts=2, pause=lambda seconds: None)
    served = server.add("a.zip", BODY)
    assert remote_size(f"{server.url}/a.zip", quick) == len(BODY)
    server.add("b.zip", BODY, ranges=False)
    assert remote_size(f"{server.url}/b.zip", quick) == len(BODY)
    server.add("c.zip", BODY, chunked=True, ranges=False)
    assert remote_size(f"{server.url}/c.zip", quick) is None
    served.statuses += [503, 503]
    with pytest.raises(DataError, match="answers 503"):
        remote_size(f"{server.url}/a.zip", quick)
    with pytest.raises(DataError, match="not there"):
        remote_size(f"{server.url}/d.zip", quick)
