import dataclasses

from skinbench.records import DatasetRanks, Scorecard
from skinbench.report.render import render_run
from skinbench.store import read_record, write_json
from tests.report.fixture import Wish, make_run


def test_ranks_that_are_refused_say_so_and_show_no_empty_table(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4, cases=1, images=200))
    made = read_record(folder.scorecard, Scorecard)
    why = "no ranks over datasets: the rows were scored on 1 dataset at most"
    refused = DatasetRanks(
        metric="accuracy",
        class_=None,
        datasets=("d",),
        ranks=(),
        level=0.95,
        reason=why,
    )
    write_json(folder.scorecard, dataclasses.replace(made, dataset_ranks=(refused,)))
    render_run(folder)
    page = folder.html.read_text("utf-8")
    assert f'<p class="note">{why}</p>' in page
    assert 'id="dataset-ranks"' not in page
    text = "".join(path.read_text("utf-8") for path in folder.root.rglob("*.md"))
    assert why in text
    assert "| mean rank |" not in text
