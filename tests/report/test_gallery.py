"""The gallery's data: what is embedded, what is left out, and cases of earlier versions."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from skinbench.records import CaseFile
from skinbench.report import gallery_data
from skinbench.report.cases_read import read_cases
from skinbench.report.content import read_content
from skinbench.report.field_effects import of_images
from skinbench.report.gallery import build_gallery
from skinbench.report.render import render_run
from skinbench.store import RunFolder, read_json, read_record, write_json
from tests.report.fixture import Wish, make_run
from tests.reports import whole_markdown


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("gallery") / "run", Wish(rows=6, cases=6))
    render_run(folder)
    return folder


@pytest.fixture
def copy(made, tmp_path):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(made.root, folder.root)
    return folder


def data(folder, name):
    text = folder.html.read_text("utf-8")
    found = re.search(rf'id="data-{name}">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def test_every_case_is_shown_for_every_row_and_each_picture_is_embedded_once(made):
    (one,) = data(made, "gallery")["sets"]
    assert len(one["rows"]) == 2
    assert all([a["row"] for a in case["answers"]] == [0, 1] for case in one["cases"])
    pictures = data(made, "gallery-pictures")
    named = [case["picture"] for case in one["cases"]]
    answers = [answer for case in one["cases"] for answer in case["answers"]]
    named += [a[k] for a in answers for k in ("heat", "heatOfLabel") if k in a]
    assert set(named) == set(pictures)
    assert all(uri.startswith(("data:image/jpeg;", "data:image/png;")) for uri in pictures.values())
    text = made.html.read_text("utf-8")
    assert all(text.count(uri) == 1 for uri in pictures.values())
    assert "<img" not in text, "pictures are made when their page is shown"


def test_counts_of_rules_and_flags_stand_in_both_reports(made):
    for text in (made.html.read_text("utf-8"), whole_markdown(made)):
        assert "3 of 57" in text
        assert "6 of 66" in text
        assert "6 cases of 120 images" in text
        assert "2 of 5" in text  # flagged, of the five maps of each model


def built(folder):
    content = read_content(folder)
    return build_gallery(content, of_images(content))


def test_what_does_not_fit_is_left_out_and_counted(copy, monkeypatch):
    whole = built(copy)
    originals = [case["picture"] for case in whole.data["sets"][0]["cases"]]
    room = sum(len(whole.pictures[key]) for key in originals)
    monkeypatch.setattr(gallery_data, "EMBEDDED_BYTES", room)
    less = built(copy)
    assert list(less.pictures) == originals, "originals come first"
    count = len(whole.pictures) - len(originals)
    assert any(f"{count} pictures left out of the page" in note for note in less.notes)
    assert all(card.path for card in less.sets[0].cards), "the Markdown has them all"


def test_pictures_never_come_from_outside_the_folder(copy, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"\xff\xd8\xff-secret")
    (copy.thumbnails / "fake.jpg").write_text("<svg onload=alert(1)>")
    (copy.thumbnails / "broken.jpg").write_bytes(b"\xff\xd8\xff-no picture")
    plain = read_json(copy.cases)
    for case, name in zip(
        plain["sets"][0]["cases"], ("../../secret.jpg", "fake.jpg", "broken.jpg"), strict=False
    ):
        case["thumbnail"] = name
    write_json(copy.cases, plain)
    found = built(copy)
    assert "secret" not in repr(found)
    cases = found.data["sets"][0]["cases"]
    assert ["picture" in case for case in cases] == [False] * 3 + [True] * 3


def test_cases_of_an_earlier_version_are_still_shown(copy):
    picture = next(copy.thumbnails.iterdir()).name
    heat = next(copy.heatmaps.iterdir()).name
    earlier = {
        "row": "baseline_cnn", "rule": "most confident mistakes", "image_id": "img_0001",
        "dataset": "lesions", "group_id": "les_0001", "label": "mel", "decided": "nv",
        "probability": 0.9, "probability_of_label": 0.05, "thumbnail": picture, "heatmap": heat,
    }  # fmt: skip
    again = {**earlier, "row": "p1/multimodal", "image_id": "img_0002", "heatmap_of_label": heat}
    write_json(copy.cases, {"method": "gradcam", "cases": [earlier, again]})
    found = built(copy)
    rows = [one["rows"] for one in found.data["sets"]]
    assert rows == [["baseline_cnn"], ["p1/multimodal"]]
    assert "overlay" in found.data["sets"][0]["cases"][0]["answers"][0]
    assert any("Made by an earlier version" in note for note in found.notes)


def test_cases_are_read_as_they_are_written(made):
    assert read_cases(read_json(made.cases)) == read_record(made.cases, CaseFile)
