"""The server in this process: answers, evidence, refusals, and nothing kept."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace

import anyio
import jsonschema
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from skinbench.bundle.model import BundleModel
from skinbench.bundle.reading import open_bundle
from skinbench.serve.answers import Answerer
from skinbench.serve.app import make_app
from skinbench.serve.guards import access_of, is_loopback
from skinbench.serve.uploads import MOST_BYTES, plain_name
from tests.bundle.world import bundle
from tests.serve import pictures

pytestmark = [pytest.mark.torch, pytest.mark.slow]
FILE = {"image": ("a", b"x")}
HOME = "http://127.0.0.1:8117"


def answerer(cell: str) -> Answerer:
    return Answerer(BundleModel(open_bundle(bundle(cell).root)))


@pytest.fixture(scope="module")
def calm() -> Answerer:
    return answerer("calm")


@pytest.fixture(scope="module")
def client(calm) -> TestClient:
    return TestClient(make_app(calm, access_of("127.0.0.1", 8117, (), "")), base_url=HOME)


@pytest.fixture(scope="module")
def both() -> TestClient:
    return TestClient(
        make_app(answerer("both"), access_of("127.0.0.1", 8117, (), "")), base_url=HOME
    )


def post(client, data, path="/predict", name="lesion.jpg", **fields):
    return client.post(path, files={"image": (name, data, "image/jpeg")}, data=fields)


def refused(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert body["error"]["code"] == code
    assert "\n" not in body["error"]["message"]
    assert "Traceback" not in response.text
    return body["error"]["message"]


# --- answers ---------------------------------------------------------------------------------


def test_an_answer_is_what_the_bundle_gives_and_what_the_document_says(client, calm):
    data = pictures.saved(pictures.picture())
    response = post(client, data)
    assert response.status_code == 200
    body = response.json()
    document = client.get("/openapi.json").json()
    schema = {**document["components"]["schemas"]["Answer"], "components": document["components"]}
    jsonschema.validate(body, schema)
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    expected = calm.model.answer({32: np.asarray(image)[None]}, None).probabilities[0]
    assert list(body["probabilities"].values()) == pytest.approx(expected.tolist())
    assert "not a medical device" in body["notice"]
    assert [item["class"] for item in body["decisions"]] == [None, "mel"]
    point = body["decisions"][1]
    assert point["called"] == (body["probabilities"]["mel"] >= point["threshold"])
    assert body["heatmaps"]
    assert body["no_heatmap"] == ""


def test_the_same_image_gives_the_same_answer_however_it_is_sent(client):
    data = pictures.saved(pictures.picture())
    first = post(client, data).json()
    raw = client.post("/predict", content=data, headers={"content-type": "image/jpeg"})
    assert raw.json() == first
    assert post(client, data, name="../../etc/passwd").json() == first


def test_metadata_change_a_fusion_and_unknown_words_are_said(both):
    data = pictures.saved(pictures.picture())
    bare = post(both, data).json()
    known = post(both, data, age="71", sex="MALE", site="back").json()
    assert known["metadata"] == {"age": "71", "sex": "MALE", "site": "back"}
    assert known["probabilities"] != bare["probabilities"]
    odd = post(both, data, site="left knee cap").json()
    assert odd["probabilities"] == bare["probabilities"]
    assert any("never saw 'left knee cap'" in note for note in odd["notes"])
    assert bare["no_heatmap"].startswith("This model can give no heatmap")


def test_an_image_unlike_the_training_data_is_warned_about_with_its_false_alarms(client, calm):
    flat = pictures.saved(Image.new("RGB", (400, 40), (0, 255, 0)), "PNG")
    found = {item["check"]: item for item in post(client, flat).json()["warnings"]}
    assert {"size", "shape", "sharpness", "colour"} <= set(found)
    for item in found.values():
        assert item["false_alarms"]["n"] > 10
        assert 0 <= item["false_alarms"]["share"] <= item["false_alarms"]["high"]
    like = pictures.saved(bundle_image())
    warned = {item["check"] for item in post(client, like).json()["warnings"]}
    assert not warned & {"size", "shape", "colour"}


def bundle_image() -> Image.Image:
    from tests.bundle.world import world

    return Image.open(world().images(1)[0]).convert("RGB")


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (pictures.rotated_by_exif(), "EXIF"),
        (pictures.grey_16(), "16-bit"),
        (pictures.cmyk(), "CMYK"),
        (pictures.saved(pictures.picture().convert("RGBA"), "PNG"), "transparent"),
        (pictures.saved(pictures.picture().convert("L"), "PNG"), "grey"),
    ],
)
def test_odd_images_are_answered_and_what_was_done_is_said(client, data, note):
    body = post(client, data).json()
    assert any(note in item for item in body["notes"]), body["notes"]
    if note == "EXIF":
        assert (body["image"]["width"], body["image"]["height"]) == (45, 60)


# --- hostile uploads -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [pictures.SVG, pictures.HTML, pictures.EPS, b"\xff\xd8\xff", b"GIF89a", b"\0" * 100, b"PK\3\4"],
)
def test_what_is_no_image_is_refused(client, data):
    refused(post(client, data), 422, "unreadable")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_truncated_file_is_refused(client, kind):
    data = pictures.saved(pictures.picture(200, 150), kind)
    refused(post(client, data[: len(data) // 2]), 422, "unreadable")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(client):
    assert len(pictures.bomb()) < 1000
    refused(post(client, pictures.bomb()), 413, "too_many_pixels")
    refused(post(client, pictures.bomb(9000)), 413, "too_many_pixels")


def test_an_upload_beyond_the_limit_is_refused(client):
    stated = {"content-type": "image/jpeg", "content-length": str(10**12)}
    refused(client.post("/predict", content=b"x", headers=stated), 413, "too_large")
    refused(post(client, b"\0" * (MOST_BYTES + 1)), 413, "too_large")


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])
def test_an_endless_upload_is_refused_while_it_comes_in(calm, kind):
    app = make_app(calm, access_of("127.0.0.1", 8117, (), ""))
    head = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n'
    sent, answers = 0, []

    async def receive():
        nonlocal sent
        sent += 1
        body = head if sent == 1 and "form" in kind else b"\0" * 1_000_000
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message):
        answers.append(message)

    headers = [(b"host", b"127.0.0.1:8117"), (b"content-type", kind.encode())]
    scope = {
        "type": "http", "method": "POST", "path": "/predict", "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    assert answers[0]["status"] == 413
    assert sent <= MOST_BYTES // 1_000_000 + 2


def test_an_upload_that_does_not_come_is_given_up(calm, monkeypatch):
    monkeypatch.setattr("skinbench.serve.uploads.SECONDS", 0.05)
    app = make_app(calm, access_of("127.0.0.1", 8117, (), ""))
    answers = []

    async def receive():
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        answers.append(message)

    headers = [(b"host", b"127.0.0.1:8117"), (b"content-type", b"image/jpeg")]
    scope = {
        "type": "http", "method": "POST", "path": "/predict", "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    assert answers[0]["status"] == 408


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"files": {"other": ("a.jpg", b"x", "image/jpeg")}}, 422, "unknown_part"),
        ({"data": {"image": "text"}, "files": {"x": ("", b"")}}, 422, "no_image"),
        ({"files": [("image", ("a", b"x")), ("image", ("b", b"y"))]}, 400, "bad_form"),
        (
            {"data": {f"f{n}": "1" for n in range(200)}, "files": {"image": ("a", b"x")}},
            400,
            "bad_form",
        ),
        ({"data": {"age": "1" * 5000}, "files": FILE}, 400, "bad_form"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "bad_form"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "wrong_type"),
        ({"content": b"", "headers": {"content-type": "image/png"}}, 422, "no_image"),
        ({"json": {"image": "x"}}, 415, "wrong_type"),
    ],
)
def test_forms_that_are_none_are_refused(client, body, status, code):
    refused(client.post("/predict", **body), status, code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"age": "old"}, "bad_field"), ({"age": "-3"}, "bad_field"), ({"dx": "mel"}, "unknown_field")],
)
def test_metadata_that_cannot_be_is_refused(both, fields, code):
    message = refused(post(both, pictures.saved(pictures.picture()), **fields), 422, code)
    assert next(iter(fields)) in message


def test_pages_and_methods_that_are_not_there_are_json_too(client):
    refused(client.get("/nothing"), 404, "not_found")
    refused(client.get("/predict"), 405, "wrong_method")
    refused(client.get("/../../etc/passwd"), 404, "not_found")


def test_a_failure_inside_tells_nothing_and_logs_nothing(calm, monkeypatch, caplog):
    monkeypatch.setattr(type(calm), "answer", lambda *_: 1 / 0)
    client = TestClient(make_app(calm, access_of("127.0.0.1", 8117, (), "")), base_url=HOME)
    with caplog.at_level(logging.DEBUG):
        refused(post(client, pictures.saved(pictures.picture())), 500, "failed")
    assert "ZeroDivision" not in caplog.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\Mole 3.jpg", "Mole 3.jpg"),
        ("<script>.png", "_script_.png"),
        ("a\nb\x1b[31m.jpg", "a_b__31m.jpg"),
        ("x" * 500, "x" * 80),
        ("..", ""),
    ],
)
def test_names_of_files_are_made_plain(given, kept):
    assert plain_name(given) == kept


def test_nothing_is_written_to_disk(client, monkeypatch, tmp_path):
    import tempfile

    def refuse(*_args, **_options):
        raise AssertionError("an upload would be on disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    large = pictures.saved(pictures.picture(1500, 1200), "BMP")
    assert len(large) > 5_000_000
    assert post(client, large).status_code == 200


# --- who may ask -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:9999", "localhost", "", "127.0.0.1"])
def test_only_its_own_names_are_answered(client, host):
    refused(client.get("/", headers={"host": host}), 421, "foreign_host")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_may_not_ask(client, headers):
    data = pictures.saved(pictures.picture())
    refused(client.post("/predict", files={"image": data}, headers=headers), 403, "foreign_origin")
    assert post(client, data).status_code == 200


def test_every_answer_has_a_policy_and_is_not_stored(client):
    for response in (client.get("/"), client.get("/nothing"), client.get("/page.js")):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "server" not in response.headers


def test_beyond_loopback_a_token_is_needed(calm):
    app = make_app(calm, access_of("0.0.0.0", 8117, ("box.lan",), "t" * 24))
    base = "http://box.lan:8117"
    client = TestClient(app, base_url=base)
    data = pictures.saved(pictures.picture())
    refused(client.get("/"), 401, "no_token")
    refused(client.get("/?token=wrong"), 401, "no_token")
    refused(post(client, data), 401, "no_token")
    refused(client.get("/bundle.json?token=" + "t" * 24), 401, "no_token")
    bearer = {"authorization": "Bearer " + "t" * 24}
    sent = client.post("/predict", files={"image": data}, headers=bearer)
    assert sent.status_code == 200
    taken = client.get("/?token=" + "t" * 24)
    assert taken.status_code == 200
    assert "token" not in str(taken.url), "the address does not keep it"
    cookie = taken.history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert post(client, data).status_code == 200


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.2", False),
    ],
)
def test_what_is_loopback(host, inside):
    assert is_loopback(host) is bool(inside)


# --- what it says of itself -------------------------------------------------------------------


def test_the_page_holds_banner_evidence_and_no_foreign_address(client, calm):
    page = client.get("/").text
    assert "not a medical device" in page
    assert page.count("n = ") >= 8
    recall = next(i for i in calm.bundle.evidence if (i.metric, i.class_) == ("recall", "mel"))
    assert f"n = {recall.n}<" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "innerHTML" not in client.get("/page.js").text


def test_a_share_without_an_interval_says_so_once():
    from skinbench.records.operating import Estimate
    from skinbench.serve.pages import brief, sentence, span

    bare = Estimate(metric="recall", value=1.0, n=9, reason="no interval: 3 lesion groups")
    assert span(bare) == "100 % (no interval: 3 lesion groups)"
    assert brief(bare) == "100 % (no interval)"
    assert brief(replace(bare, low=0.0123, high=0.995)) == "100 % [1.2, 99.5]"
    assert brief(replace(bare, value=None)) == span(None).replace("not measured", bare.reason)
    assert sentence("turned as its EXIF data says") == "Turned as its EXIF data says"


def test_what_a_bundle_says_is_escaped(calm):
    from skinbench.serve.pages import model_page

    titles = {**calm.bundle.titles, "mel": "</script><img src=x onerror=alert(1)>"}
    other = answerer("calm")
    other.bundle = replace(other.bundle, titles=titles, row="<b>row</b>")
    page = model_page(other)
    assert "<img src=x" not in page
    assert "<b>row</b>" not in page


def test_card_bundle_and_document_can_be_had(client, calm):
    assert client.get("/card").text.startswith("# calm")
    assert client.get("/bundle.json").json()["cell"] == "calm@0.0"
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {"/predict", "/sheet"}
    assert json.dumps(document)


# --- the sheet --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weasyprint():
    try:
        return pytest.importorskip("weasyprint")
    except OSError:  # pango is not installed
        pytest.skip("weasyprint finds no pango: apt-get install libpango-1.0-0 libpangoft2-1.0-0")


def sheet(client, **fields) -> bytes:
    response = post(
        client, pictures.saved(pictures.picture()), "/sheet", "../Mole <3>.jpg", **fields
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/pdf"
    return response.content


def test_the_sheet_is_the_same_bytes_each_time_and_tagged(client, weasyprint):
    from pypdf import PdfReader

    first = sheet(client)
    assert sheet(client) == first
    reader = PdfReader(io.BytesIO(first))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert "/StructTreeRoot" in root
    assert reader.metadata.title == "Model response sheet: calm"
    assert reader.metadata.creation_date is None


def test_the_sheet_says_what_the_answer_says(client, both, weasyprint):
    from pypdf import PdfReader

    body = post(client, pictures.saved(pictures.picture())).json()
    pages = [
        " ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(sheet(client))).pages
    ]
    text = " ".join(pages)
    assert "must not be used to diagnose anyone" in pages[0]
    assert all("Not a medical device" in page for page in pages)
    assert "Mole _3_.jpg" in text
    assert body["image"]["sha256"] in text
    for value in body["probabilities"].values():
        assert f"{value:.3f}" in text
    assert "recall (sensitivity)" in text
    assert "prior shift" in text
    fused = sheet(both, age="71", sex="male")
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(fused)).pages)
    assert "age in years 71" in " ".join(text.split())
    assert "can give no heatmap" in " ".join(text.split())


def test_the_sheet_fetches_nothing(client, weasyprint, monkeypatch):
    import socket

    def refuse(*_args, **_options):
        raise AssertionError("a request to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert sheet(client).startswith(b"%PDF")
