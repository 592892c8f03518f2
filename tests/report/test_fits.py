"""What the table of fits says of batches that a GPU could not hold."""

from __future__ import annotations

from types import SimpleNamespace

from skinbench.records import FitRecord
from skinbench.report.facts import fits_table


def table_of(**fits: FitRecord):
    cells = [SimpleNamespace(cell=f"row/{name}", fit=name) for name in fits]
    return fits_table(SimpleNamespace(fits=fits, scorecard=SimpleNamespace(every_cell=cells)))


def test_a_cut_batch_is_a_column_and_a_note() -> None:
    whole = FitRecord(fit_id="a", status="done")
    cut = FitRecord(fit_id="b", status="done", micro_batches=4)
    split = FitRecord(fit_id="c", status="done", micro_batches=2, split_batch_norm=True)
    table = table_of(a=whole, b=cut, c=split)
    assert table.columns[-1].title == "micro-batches"
    assert [row[-1].text for row in table.rows] == ["1", "4", "2"]
    first, second = table.notes
    assert first.startswith("row/b: the GPU could not hold a batch, so each was cut into 4 parts")
    assert first.endswith("loss and step are those of the whole batch.")
    assert "batch normalisation learnt from the parts" in second
    assert "allow_split_batch_norm" in second


def test_where_nothing_was_cut_nothing_is_said() -> None:
    table = table_of(a=FitRecord(fit_id="a", status="done"))
    assert table.columns[-1].title == "attempts"
    assert not table.notes
