from dataclasses import replace

import pytest

from skinbench.errors import UnknownNameError
from skinbench.pipeline.comparing import compare_runs
from skinbench.store import to_plain, write_json
from tests.cli.commands import write_run
from tests.gate.runs import damage, plain_run, run
from tests.score.drawn import frame, row

METRICS = ("recall:mel", "accuracy")


@pytest.fixture
def folders(tmp_path):
    data = frame(600)
    old = write_run(tmp_path / "old", run({"a@0.0": data, "gone@0.0": data}))
    new = write_run(tmp_path / "new", run({"a@0.0": damage(data, 0.5), "b@0.0": data}))
    return old, new


def test_scores_are_those_of_both_scorecards_and_their_paired_difference(folders):
    found = compare_runs(*folders, metrics=METRICS)
    recall, accuracy = found.scores
    assert (recall.row, recall.metric, recall.class_) == ("a", "recall", "mel")
    assert recall.difference == pytest.approx(recall.new - recall.old)
    assert recall.paired
    assert recall.low < recall.difference < recall.high < 0
    assert recall.p_holm < 0.05
    assert accuracy.old is None, "not in these scorecards, and still compared"
    assert accuracy.difference < 0
    assert (found.only_old, found.only_new) == (("gone",), ("b",))


def test_every_image_that_flipped_is_there(folders):
    (flips,) = compare_runs(*folders, metrics=METRICS).flips
    old, new = (frame(600), damage(frame(600), 0.5))
    columns = [name for name in old if name.startswith("p_")]
    before, after = (table[columns].to_numpy().argmax(axis=1) for table in (old, new))
    label = old["label"].map({name[2:]: index for index, name in enumerate(columns)}).to_numpy()
    assert flips.broken == ((before == label) & (after != label)).sum() > 0
    assert flips.fixed == ((before != label) & (after == label)).sum() == 0
    assert flips.other == ((before != after) & (before != label) & (after != label)).sum()
    assert len(flips.flips) == (before != after).sum()
    assert flips.by_class == (("mel", 0, flips.broken),)
    assert (flips.images, flips.only_old, flips.only_new) == (600, 0, 0)
    first = flips.flips[0]
    assert (first.kind, first.label, first.old, first.new) == ("broken", "mel", "mel", "nv")
    moved = [abs(f.new_probability - f.old_probability) for f in flips.flips if f.kind == "broken"]
    assert moved == sorted(moved, reverse=True)


def test_other_test_images_are_counted_and_the_difference_is_unpaired(tmp_path):
    old = write_run(tmp_path / "old", plain_run(n=600))
    new = write_run(tmp_path / "new", run({"grid/a@0.0": frame(600).iloc[50:]}))
    found = compare_runs(old, new, metrics=("recall:mel",))
    assert not found.scores[0].paired
    assert (found.flips[0].images, found.flips[0].only_old, found.flips[0].only_new) == (550, 50, 0)


def test_settings_that_differ_and_nothing_else(tmp_path):
    def with_settings(name, lr, epochs):
        item = run({"a@0.0": frame(300), "b@0.0": frame(300)})
        rows = [
            {**to_plain(row(n)), "settings": {"optimizer": {"lr": lr}, "epochs": e, "seeds": [lr]}}
            for n, e in (("a", 3), ("b", epochs))
        ]
        folder = write_run(tmp_path / name, item)
        write_json(folder.scorecard, replace(item.scorecard, rows=tuple(rows)))
        facts = {"cores": 2, "memory_bytes": lr, "packages": {"torch": f"2.{epochs}"}}
        write_json(folder.run, {"version": "0.1.0", "environment": facts})
        return folder

    found = compare_runs(
        with_settings("old", 0.1, 3), with_settings("new", 0.2, 4), metrics=METRICS
    )
    assert [(c.place, c.key, c.old, c.new) for c in found.settings] == [
        ("every row", "optimizer.lr", "0.1", "0.2"),
        ("b", "epochs", "3", "4"),
        ("environment", "packages.torch", '"2.3"', '"2.4"'),
    ]


def test_rows_of_other_names_and_unknown_ones(folders):
    found = compare_runs(*folders, pairs=[("gone", "b")], metrics=METRICS)
    assert {(score.old_row, score.row) for score in found.scores} == {("gone", "b")}
    assert all(score.difference == 0 for score in found.scores)
    assert found.flips[0].flips == ()
    with pytest.raises(UnknownNameError, match="old has no row 'gon'; did you mean 'gone'"):
        compare_runs(*folders, pairs=[("gon", "b")])
    with pytest.raises(UnknownNameError, match="no row 'z' in both runs"):
        compare_runs(*folders, rows="z")
