"""A plan before and after its searches."""

import dataclasses

import pytest

from skinbench.errors import SuiteError
from skinbench.plan import fit_id, make_plan, read_search, trial_spec
from skinbench.records import SearchResult, SearchTrial
from skinbench.store import Store, file_digest
from tests.plan.made import fit_of, manifest, planned
from tests.suite.texts import load, with_changes

SEARCH = {"space": {"optimizer.lr": {"log": [1e-4, 1e-1]}, "batch_size": [8, 16]}, "trials": 3}
MODEL = {"model": "baseline_cnn"}


def text(search=SEARCH, folds=None, **settings):
    split = {"data": "drawn", "folds": folds} if folds else {"data": "drawn", "test": 0.2}
    rows = {"a": {**MODEL, **settings, "search": search}, "b": {**MODEL, **settings}}
    return with_changes(rows=rows, splits={"by_lesion": split}, baselines=False)


def found(values):
    trial = SearchTrial(values=values, fit="f", status="done", value=0.5, epochs=2)
    return SearchResult(trials=(trial,), chosen=0, rule="the lowest val_log_loss", versions={})


def plan_with(folder, body, results):
    """The plan where searches found what `results` says of (fold)."""
    suite = load(folder, body)
    first = planned(folder, body)
    known = {task.digest: results.get(task.fold) for task, _ in first.searches}
    from skinbench.data.splits import grouped

    item = suite.file.splits["by_lesion"]
    split = grouped(
        "by_lesion",
        manifest(),
        group="lesion",
        test=float(item.test or 0),
        val=item.val,
        folds=item.folds or 1,
        seed=0,
    )
    return make_plan(suite, {"drawn": manifest()}, {"by_lesion": split}, file_digest, known.get)


def test_before_a_search_the_row_has_what_it_states_and_says_so(tmp_path):
    made = planned(tmp_path, text())
    (task,) = made.unsearched
    assert (task.row, task.fold) == ("a", 0)
    assert fit_of(made.plan, "a") == fit_of(made.plan, "b")
    (note,) = next(row for row in made.plan.rows if row.name == "a").notes
    assert "to be chosen by search: 3 trials (random, seed 0)" in note


def test_after_it_every_seed_of_a_fold_has_what_that_fold_chose(tmp_path):
    body = text(folds=2, seeds=[4, 5])
    values = {"optimizer.lr": 0.02, "batch_size": 8}
    made = plan_with(tmp_path, body, {0: found(values), 1: found({**values, "batch_size": 16})})
    assert made.unsearched == ()
    sizes = {}
    for cell in made.plan.cells:
        if cell.row == "a":
            train = made.plan.fits[cell.fit].train
            assert train.optimizer.options["lr"] == 0.02
            assert train.seed == cell.seed
            sizes[cell.fold, cell.seed] = train.batch_size
    assert sizes == {(0, 4): 8, (0, 5): 8, (1, 4): 16, (1, 5): 16}
    notes = next(row for row in made.plan.rows if row.name == "a").notes
    assert len(notes) == 2
    assert notes[1].startswith("fold 1: settings were chosen by search: optimizer.lr 0.02, batch")
    assert "test was not looked at" in notes[1]


def test_a_trial_is_the_fit_that_the_plan_then_has(tmp_path):
    values = {"optimizer.lr": 0.02, "batch_size": 8}
    (task,) = planned(tmp_path, text(seeds=[3])).unsearched
    made = plan_with(tmp_path, text(seeds=[3]), {0: found(values)})
    assert fit_id(trial_spec(task, values)) == fit_of(made.plan, "a", seed=3)
    more = {"technique": "focal", "augment": "p1", "schedule": "cosine"}
    search = {"space": {key: [None, value] for key, value in more.items()}}
    search["space"]["technique"] = ["none", "focal"]
    (task,) = planned(tmp_path, text(search)).unsearched
    made = plan_with(tmp_path, text(search), {0: found(more)})
    spec = trial_spec(task, more)
    assert fit_id(spec) == fit_of(made.plan, "a")
    assert {"techniques/focal", "augments/rotation", "kornia"} <= set(spec.versions)
    assert "techniques/none" not in spec.versions


def test_what_a_search_is_known_by(tmp_path):
    def digest(search=SEARCH, **settings):
        (task,) = planned(tmp_path, text(search, **settings)).unsearched
        return task.digest

    first = digest()
    assert digest() == first
    assert digest({**SEARCH, "concurrent": 2}) == first, "drawn beforehand"
    others = [
        digest({**SEARCH, "trials": 4}),
        digest({**SEARCH, "seed": 1}),
        digest({**SEARCH, "sampler": "optuna"}),
        digest({**SEARCH, "sampler": "optuna", "concurrent": 2}),
        digest({**SEARCH, "asha": {}}),
        digest({**SEARCH, "monitor": "val_accuracy"}),
        digest({**SEARCH, "space": {"batch_size": [8, 16]}}),
        digest(epochs=3),
        digest(seeds=[1]),
    ]
    assert len({first, *others}) == 10


def test_val_and_a_network_are_needed(tmp_path):
    body = text()
    body["splits"]["by_lesion"]["val"] = 0.0
    with pytest.raises(SuiteError, match="chooses by val, and split 'by_lesion' has none"):
        planned(tmp_path, body)
    with pytest.raises(SuiteError, match="'majority' is not trained"):
        planned(tmp_path, text(model="majority"))


def test_a_search_that_is_not_there(tmp_path):
    assert read_search(Store(tmp_path), "ab" * 16) is None
    assert dataclasses.is_dataclass(SearchResult)
