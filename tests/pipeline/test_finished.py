"""A finished run is left as it is; whatever scores and pages are made from makes them again."""

import json

import pytest

from skinbench.pipeline import Options, explaining, run, run_suite, scoring
from skinbench.pipeline import finished as module
from skinbench.store import RunFolder, Store
from skinbench.suite import load_suite
from tests.pipeline.in_process import train_here
from tests.pipeline.tiny import write_suite

ROWS = """
rows:
  plain: {model: majority}
"""


class Runs:
    """A suite of one row without a network, run into one folder."""

    def __init__(self, folder, monkeypatch):
        self.called = set()
        for place, name in ((scoring, "score"), (explaining, "explain"), (run, "render")):
            monkeypatch.setattr(place, name, self.watched(name, getattr(place, name)))
        self.suite = write_suite(folder, ROWS)
        self.folder = RunFolder(folder / "run")
        self.store = Store(folder / "store")

    def watched(self, name, call):
        def seen(*given):
            self.called.add(name)
            return call(*given)

        return seen

    def again(self, *sets):
        """Run; which of scoring, explaining and rendering were left out."""
        self.called.clear()
        options = Options(folder=self.folder.root, store=self.store)
        run_suite(load_suite(self.suite, sets=sets), options)
        return [name not in self.called for name in ("score", "explain", "render")]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    train_here(monkeypatch)
    made = Runs(tmp_path, monkeypatch)
    assert made.again() == [False, False, False]
    return made


def test_a_second_run_makes_nothing_again(runs):
    before = {path: path.read_bytes() for path in runs.folder.root.rglob("*") if path.is_file()}
    assert runs.again() == [True, True, True]
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads(runs.folder.run.read_text())["stages"][-1]["name"] == "report"


def test_a_damaged_score_is_made_again(runs):
    good = runs.folder.scorecard.read_bytes()
    runs.folder.scorecard.write_bytes(good.replace(b'"level": 0.95', b'"level": 0.96'))
    assert runs.folder.scorecard.read_bytes() != good
    assert runs.again() == [False, False, False]
    assert runs.folder.scorecard.read_bytes() == good


def test_a_lost_page_is_made_again(runs):
    runs.folder.html.unlink()
    assert runs.again() == [False, False, False]
    assert runs.folder.html.exists()


def test_other_settings_are_scored_again(runs):
    assert runs.again("bootstrap.replicates=300") == [False, False, False]
    assert runs.again("bootstrap.replicates=300") == [True, True, True]


def test_another_program_scores_again(runs, monkeypatch):
    monkeypatch.setattr(module, "_program", lambda: "other")
    assert runs.again() == [False, False, False]


def test_another_salt_makes_pages_again(runs, monkeypatch):
    monkeypatch.setenv("SKINBENCH_SALT", "a secret of this house")
    assert runs.again() == [False, False, False]


def test_a_note_that_cannot_be_read_counts_as_none(runs):
    runs.folder.made.write_text("{", encoding="utf-8")
    assert runs.again() == [False, False, False]
