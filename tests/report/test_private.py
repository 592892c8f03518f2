"""Private data: no picture and no id as it is in any file that may be sent on."""

from __future__ import annotations

import base64
import dataclasses
import re

import pandas as pd
import pytest

from skinbench.errors import CorruptObjectError, UsageError
from skinbench.records import AgainstLabel, HardImage, Scorecard, WeakSpots
from skinbench.report.render import render_run
from skinbench.store import read_record, shown_id, write_json, write_private
from tests.report.fixture import Wish, make_run
from tests.reports import whole_markdown

SALT = "s3cret text"


def hard(image_id):
    return HardImage(
        dataset="lesions", split="by_lesion", image_id=image_id, group_id="les_0007", label="mel",
        models=3, wrong=3, decided="nv", votes=3, probability_of_label=0.02,
    )  # fmt: skip


def spread_ids(folder):
    """Ids in every place that a run may put them."""
    card = read_record(folder.scorecard, Scorecard)
    agreed = AgainstLabel(
        dataset="lesions", split="by_lesion", models=("a", "b"), value=0.1, count=1, n=120,
        n_groups=90, images=(hard("img_0005"),),
    )  # fmt: skip
    spots = WeakSpots(floor=10, hardest=(hard("img_0004"),), against_label=(agreed,))
    cells = tuple(
        dataclasses.replace(cell, reason="DataError: image 'img_0003' of les_0002 is gone")
        if cell.status == "failed"
        else cell
        for cell in card.cells
    )
    write_json(folder.scorecard, dataclasses.replace(card, weak_spots=spots, cells=cells))
    folder.log.write_text("img_0001")


def sent(folder):
    """Every file of the run folder that may be sent on."""
    found = [folder.html, folder.markdown, *folder.figures.rglob("*")]
    further = folder.root / "report"
    return [path for path in [*found, *further.rglob("*")] if path.is_file()]


def raw_ids(folder):
    table = pd.read_parquet(folder.manifest("lesions"))
    return set(table["image_id"]) | set(table["group_id"])


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("private") / "run", Wish(rows=13, images=300))
    spread_ids(folder)
    write_private(folder, ["lesions"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKINBENCH_SALT", SALT)
        render_run(folder)
    return folder


def test_no_file_that_is_sent_holds_an_id_a_picture_or_the_salt(private):
    ids, files = raw_ids(private), sent(private)
    assert {private.html, private.markdown} < set(files)
    assert len(files) > 5
    pictures = [*private.thumbnails.iterdir(), *private.heatmaps.iterdir()]
    assert pictures
    encoded = [base64.b64encode(path.read_bytes()).decode()[:400] for path in pictures]
    for path in files:
        text = path.read_text("utf-8")
        assert ids.isdisjoint(re.findall(r"[A-Za-z]+_[0-9]+", text)), path
        assert not re.search(r"data:image|<img|!\[[^]]*\]\((thumbnails|heatmaps)", text), path
        assert not any(part in text for part in encoded), path
        assert SALT not in text, path
        assert "thumbnails/" not in text, path


def test_salted_ids_stand_for_them_everywhere_alike(private):
    for text in (private.html.read_text("utf-8"), whole_markdown(private)):
        for name in ("img_0000", "img_0003", "img_0004", "img_0005"):
            assert shown_id(name, SALT) in text, name
        assert "lesions: private" in text


def test_the_run_folder_says_what_may_be_sent(private):
    text = private.private.read_text("utf-8")
    assert '"lesions"' in text
    assert "report.html" in text
    assert "predictions" in text
    assert SALT not in text


def test_without_a_salt_nothing_is_written(private, monkeypatch):
    before = private.html.stat().st_mtime_ns
    for value in (None, " "):
        if value is None:
            monkeypatch.delenv("SKINBENCH_SALT", raising=False)
        else:
            monkeypatch.setenv("SKINBENCH_SALT", value)
        with pytest.raises(UsageError, match=r"lesions: private, .* set SKINBENCH_SALT"):
            render_run(private)
    assert private.html.stat().st_mtime_ns == before


def test_a_damaged_word_on_it_hides_nothing_by_mistake(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4))
    write_json(folder.private, {"private": []})
    with pytest.raises(CorruptObjectError, match=r"private\.json names no data"):
        render_run(folder)
    assert not folder.html.exists()


def test_with_a_salt_the_markdown_of_open_data_shows_no_cases_as_they_are(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run", Wish(rows=4, cases=4))
    monkeypatch.setenv("SKINBENCH_SALT", SALT)
    render_run(folder)
    gallery = (folder.further / "gallery.md").read_text("utf-8")
    assert shown_id("img_0000", SALT) in gallery
    assert "img_0000" not in gallery
    assert "thumbnails/" not in whole_markdown(folder)
    assert "data:image" in folder.html.read_text("utf-8"), "the page stays whole"
