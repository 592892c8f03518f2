"""The page of a cell: what stands on it, from a fabricated run with predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from skinbench.errors import PredictionsError
from skinbench.report.cell_pages import cell_part
from skinbench.report.content import read_content
from skinbench.report.field_effects import of_images
from skinbench.report.judged import hardest, read_judged
from skinbench.report.render import render_run
from skinbench.report.tables import Scores
from skinbench.store import RunFolder
from tests.report.fixture import Wish, make_run
from tests.report.judged_run import write_judged
from tests.score.test_curves import images


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("cells") / "run", Wish(rows=6, cases=2))
    write_judged(made)
    return made


@pytest.fixture(scope="module")
def pages(folder):
    content = read_content(folder)
    return cell_part(content, Scores(content.scorecard), of_images(content)).pages


def test_there_is_a_page_for_each_row_that_was_scored(folder, pages):
    scored = {s.row for s in read_content(folder).scorecard.scores if s.n}
    assert [page.row for page in pages] == [
        row.name for row in read_content(folder).rows if row.name in scored
    ]
    assert len({page.slug for page in pages}) == len(pages)


def test_recall_stands_beside_its_specificity(pages):
    for page in pages:
        assert [name for name, _ in page.headline][:2] == ["mel recall", "mel specificity"]


def test_several_seeds_have_a_thin_line_each_and_their_mean(pages):
    found = {page.row: page.curves.alt for page in pages if page.curves}
    assert "2 seeds" in found["baseline_cnn"]
    assert "argmax: recall" in found["baseline_cnn"]
    lines = {page.row: page.curves.svg.count("stroke-opacity: 0.45") for page in pages}
    assert (lines["baseline_cnn"], lines["p1/multimodal"]) == (4, 0)


def test_figures_of_a_cell_stay_small(pages):
    for page in pages:
        assert sum(len(drawing.svg) for drawing in page.drawings) < 60_000


def test_what_is_missing_says_why(tmp_path):
    bare = make_run(tmp_path / "run", Wish(rows=4))
    content = read_content(bare)
    found = cell_part(content, Scores(content.scorecard), of_images(content)).pages
    assert {page.no_curves for page in found} == {"The run folder has no predictions of this cell."}
    assert "nothing is trained" in found[0].no_training
    assert found[0].hardest is None


def test_without_melanoma_the_first_malignant_class_is_looked_at(tmp_path):
    bare = make_run(tmp_path / "run", Wish(rows=4, focus=False))
    content = read_content(bare)
    found = cell_part(content, Scores(content.scorecard), of_images(content)).pages
    assert {page.focus for page in found} == {"akiec"}


def test_damaged_predictions_are_one_clear_line(folder, tmp_path):
    broken = make_run(tmp_path / "run", Wish(rows=4))
    broken.predictions.mkdir()
    content = read_content(broken)
    done = next(cell for cell in content.scorecard.cells if cell.status == "done")
    broken.prediction(done.cell).write_bytes(b"no parquet")
    with pytest.raises(PredictionsError, match="cannot be read as Parquet"):
        render_run(broken)


def test_predictions_are_read_by_seed(folder):
    content = read_content(folder)
    row = next(row for row in content.rows if row.name == "baseline_cnn")
    judged = read_judged(folder, row, content.scorecard.cells)
    assert list(judged.seeds("lesions", "none")) == [0, 1]
    assert judged.seeds("lesions", "blur@3") == {}


def test_hardest_images_are_mistakes_of_different_lesions_missed_melanoma_first():
    part = images(n=300, skill=0.5)
    found = hardest(part, "mel")
    assert len(found) == 10
    assert all(case.label != case.decided for case in found)
    kinds = [case.label for case in found]
    assert kinds == ["mel"] * 5 + ["nv"] * 5
    confident = [case.probability for case in found if case.label == "mel"]
    assert confident == sorted(confident, reverse=True)
    part.groups[:] = "one lesion"
    assert len(hardest(part, "mel")) == 1
    part.decisions[:] = part.labels
    assert hardest(part, "mel") == ()
    assert hardest(part.subset(np.zeros(300, dtype=bool)), None) == ()


def test_private_images_have_salted_ids_in_the_page(folder):
    """Short ids too, which a search in the finished page would leave."""
    content = read_content(folder)
    hidden = replace(content, private=frozenset({"lesions"}), salt="a secret")
    part = cell_part(hidden, Scores(content.scorecard), of_images(hidden))
    shown = {name for one in part.compared["sets"] for name in one["ids"]}
    known = set(pq.read_table(folder.manifest("lesions"))["image_id"].to_pylist())
    assert shown
    assert not shown & known
    named = {row[0].text for page in part.pages if page.hardest for row in page.hardest.rows}
    assert named <= shown
