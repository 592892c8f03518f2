"""`skinbench card`."""

from __future__ import annotations

from tests.report.fixture import Wish, make_run


def test_a_card_is_printed_or_written(shell, tmp_path):
    make_run(tmp_path / "run", Wish(rows=4))
    printed = shell("card", "run", "baseline_cnn")
    assert printed.code == 0
    assert printed.out.startswith("# Model card: baseline")
    written = shell("card", "run", "baseline_cnn", "--out", "card.md")
    assert "Model card: card.md" in written.out
    assert (tmp_path / "card.md").read_text("utf-8") == printed.out


def test_a_card_as_json(shell, tmp_path):
    make_run(tmp_path / "run", Wish(rows=4))
    found = shell("card", "run", "baseline_cnn", "--on", "lesions", "--json").json
    assert set(found) == {"row", "dataset", "slug", "card"}
    titles = [one["title"] for one in found["card"]["checklists"]]
    assert titles == ["STARD-AI 2025", "CLEAR Derm 2022"]


def test_a_wrong_name_is_one_line(shell, tmp_path):
    make_run(tmp_path / "run", Wish(rows=4))
    assert "did you mean 'baseline_cnn'" in shell.error("card", "run", "baseline_cn")
    (tmp_path / "empty").mkdir()
    assert "has no scorecard" in shell.error("card", "empty", "x", code=1)
