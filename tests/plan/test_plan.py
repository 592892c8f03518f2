import pytest

from skinbench.data.pixels import pixel_digest
from skinbench.errors import SuiteError
from skinbench.plan import PLAIN_MODELS, cost, spec_key
from tests.plan.made import fit_of, manifest, plan
from tests.suite.texts import with_changes

MODEL = {"model": "baseline_cnn"}
TWO = {name: {"adapter": "synthetic"} for name in ("drawn", "other")}
CHAIN = with_changes(
    rows={
        "second": {"model": {"name": "baseline_cnn", "weights": {"row": "first"}}, "epochs": 5},
        "first": MODEL,
        "third": {"model": {"name": "baseline_cnn", "weights": {"row": "second"}}},
    },
    derived={
        "mean": {"kind": "mean_probability", "of": ["third", "first"]},
        "on_top": {"kind": "mean_logit", "of": ["mean", "second"]},
    },
)


def refused(folder, text, manifests=None):
    with pytest.raises(SuiteError) as caught:
        plan(folder, text, manifests)
    assert caught.value.line is not None
    assert "\n" not in str(caught.value)
    return caught.value


# --- the graph ---


def test_a_chain_of_three_has_every_need_before_its_user(tmp_path):
    made = plan(tmp_path, CHAIN)
    nodes = {node.name: node for node in made.nodes}
    seen = set()
    for node in made.nodes:
        assert set(node.needs) <= seen, node.name
        seen.add(node.name)
    assert len(nodes) == len(made.nodes)
    first, second, third = (fit_of(made, row) for row in ("first", "second", "third"))
    assert f"fit:{first}" in nodes[f"fit:{second}"].needs
    assert f"fit:{second}" in nodes[f"fit:{third}"].needs
    assert made.fits[third].model.weights.digest == second
    assert nodes["derive:mean@0.0"].needs == ("predict:first@0.0", "predict:third@0.0")
    assert nodes["derive:on_top@0.0"].needs == ("derive:mean@0.0", "predict:second@0.0")
    pixels = f"pixels:{pixel_digest(manifest().digest, 32)}"
    assert nodes[f"fit:{first}"].needs == (pixels,)
    assert nodes["predict:first@0.0"].needs == (f"fit:{first}",)


def test_a_change_at_the_start_of_a_chain_goes_through(tmp_path):
    before = plan(tmp_path, CHAIN)
    after = plan(tmp_path, CHAIN, sets=["rows.first.epochs=9"])
    for row in ("first", "second", "third"):
        assert fit_of(before, row) != fit_of(after, row)
    middle = plan(tmp_path, CHAIN, sets=["rows.second.epochs=9"])
    assert fit_of(before, "first") == fit_of(middle, "first")
    assert fit_of(before, "third") != fit_of(middle, "third")


def test_warm_starts_take_the_same_fold_and_seed(tmp_path):
    rows = {
        "first": {**MODEL, "seeds": [0]},
        "second": {"model": {"name": "baseline_cnn", "weights": {"row": "first"}}, "seeds": [0, 1]},
    }
    splits = {"by_lesion": {"data": "drawn", "folds": 2}}
    made = plan(tmp_path, with_changes(rows=rows, splits=splits, baselines=False))
    for fold in (0, 1):
        start = made.fits[fit_of(made, "second", fold, 0)].model.weights.digest
        assert start == fit_of(made, "first", fold, 0)
    # Seed 1 of the start is no cell, but a fit that the second row needs.
    start = made.fits[made.fits[fit_of(made, "second", 1, 1)].model.weights.digest]
    assert (start.fold, start.train.seed) == (1, 1)
    assert len(made.fits) == 8
    assert len(made.cells) == 6
    notes = {row.name: row.notes for row in made.rows}
    assert "seed 1 starts from first trained for it alone" in notes["second"]


def test_seeds_that_not_all_members_have_are_said_to_be_left_out(tmp_path):
    rows = {"a": {**MODEL, "seeds": [0, 1, 2]}, "b": {**MODEL, "epochs": 3}}
    derived = {"mean": {"kind": "mean_probability", "of": ["a", "b"]}}
    made = plan(tmp_path, with_changes(rows=rows, derived=derived, baselines=False))
    notes = {row.name: row.notes for row in made.rows}
    assert "seeds 1, 2 of some members left out: not all have them" in notes["mean"]
    assert notes["a"] == notes["b"] == ()


def test_a_circle_of_warm_starts_is_named(tmp_path):
    def start(row):
        return {"model": {"name": "baseline_cnn", "weights": {"row": row}}}

    rows = {"a": start("b"), "b": start("c"), "c": start("a")}
    error = refused(tmp_path, with_changes(rows=rows))
    assert "circle: a -> b -> c -> a" in error.message


def test_a_warm_start_is_the_same_network_and_has_not_seen_the_test(tmp_path):
    def second(**settings):
        model = {"name": "baseline_cnn", "weights": {"row": "first"}}
        return {"first": {**MODEL, **settings}, "second": {"model": model}}

    splits = {
        "by_lesion": {"data": "drawn", "test": 0.2},
        "reseeded": {"data": "drawn", "test": 0.2, "seed": 5},
        "apart": {"data": "other", "test": 0.2},
    }
    data = TWO
    manifests = {"drawn": manifest(), "other": manifest("other")}

    def text(**settings):
        return with_changes(rows=second(**settings), splits=splits, data=data)

    error = refused(tmp_path, text(model="mobilenetv2_100"), manifests)
    assert error.key == "rows.second.model.weights.row"
    assert "is a mobilenetv2_100, not a baseline_cnn" in error.message
    assert "has seen test images" in refused(tmp_path, text(split="reseeded"), manifests).message
    assert plan(tmp_path, text(split="apart"), manifests).cells


# --- rows and cells ---


def test_baselines_stand_once_beside_each_split_in_use(tmp_path):
    splits = {
        name: {"data": "drawn", "test": 0.2, "seed": i}
        for i, name in enumerate(("by_lesion", "second", "unused"))
    }
    rows = {"a": MODEL, "b": {**MODEL, "epochs": 3}, "c": {**MODEL, "split": "second"}}
    made = plan(tmp_path, with_changes(splits=splits, rows=rows))
    plain = [row for row in made.rows if row.kind == "plain"]
    assert [row.name for row in plain] == [
        f"baseline/{split}/{model}" for split in ("by_lesion", "second") for model in PLAIN_MODELS
    ]
    assert len(made.fits) == 3 + 6
    none = plan(tmp_path, with_changes(splits=splits, rows=rows, baselines=False))
    assert {row.kind for row in none.rows} == {"fit"}


def test_rows_carry_what_a_report_shows(tmp_path):
    rows = {
        "a": {
            "model": {"name": "baseline_cnn", "label": "CNN"},
            "technique": {"name": "focal", "options": {"gamma": 1}},
            "claims": [{"metric": "recall", "class": "mel", "value": 0.8, "source": "T2"}],
        }
    }
    derived = {"e": {"kind": "mean_probability", "of": "a"}}
    first, *_, last = plan(tmp_path, with_changes(rows=rows, derived=derived)).rows
    assert (first.model, first.technique, first.input, first.split) == (
        "CNN",
        "focal",
        "image",
        "by_lesion",
    )
    assert first.label_space == "ham7"
    assert "mel" in first.classes
    assert first.claims[0]["class"] == "mel"
    assert (last.name, last.kind, last.model, last.settings["of"]) == (
        "e",
        "derived",
        "mean_probability",
        ["a"],
    )


def test_derived_rows_are_made_of_rows_of_the_suite_above_them(tmp_path):
    derived = {
        "one": {"kind": "mean_probability", "of": "*"},
        "two": {"kind": "mean_probability", "of": "*"},
    }
    rows = {"a": MODEL, "b": MODEL}
    found = {r.name: r for r in plan(tmp_path, with_changes(rows=rows, derived=derived)).rows}
    assert found["one"].settings["of"] == ["a", "b"]
    assert found["two"].settings["of"] == ["a", "b", "one"]
    below = {"one": {"kind": "mean_probability", "of": "two"}, "two": derived["two"]}
    error = refused(tmp_path, with_changes(rows=rows, derived=below))
    assert "'two' is made further down; move it above 'one'" in error.message


def test_derived_cells_are_those_that_all_members_have(tmp_path):
    rows = {"a": {**MODEL, "seeds": [0, 1]}, "b": {**MODEL, "seeds": [1, 2]}}
    splits = {"by_lesion": {"data": "drawn", "folds": 2}}
    derived = {"e": {"kind": "mean_probability", "of": ["a", "b"]}}
    made = plan(tmp_path, with_changes(rows=rows, splits=splits, derived=derived))
    assert [item.cell.name for item in made.derived] == ["e@0.1", "e@1.1"]
    assert made.derived[1].members == ("a@1.1", "b@1.1")
    rows["b"]["seeds"] = [2]
    error = refused(tmp_path, with_changes(rows=rows, splits=splits, derived=derived))
    assert "share no fold and seed" in error.message
    splits["other"] = {"data": "drawn", "test": 0.2}
    rows["b"]["split"] = "other"
    error = refused(tmp_path, with_changes(rows=rows, splits=splits, derived=derived))
    assert "differ in split or classes" in error.message
    assert error.key == "derived.e.of"


# --- evaluations ---


def test_evaluations_start_with_the_own_test_and_take_what_is_asked(tmp_path):
    data = TWO
    manifests = {"drawn": manifest(), "other": manifest("other")}
    rows = {"a": MODEL, "b": MODEL, "c": MODEL}
    text = with_changes(
        data=data,
        rows=rows,
        derived={"e": {"kind": "mean_probability", "of": ["b", "c"]}},
        evaluate=[
            {"rows": "a", "on": "other", "conditions": ["none", "blur@2"]},
            {"rows": "a", "conditions": ["none", "blur@1"]},
            {"rows": "e", "on": "other"},
        ],
    )
    made = plan(tmp_path, text, manifests)
    found = {}
    for item in made.evaluations:
        found.setdefault(item.cell, []).append((item.dataset, item.split, item.condition))
    own, far = ("drawn", "by_lesion", "none"), ("other", "by_lesion@other", "none")
    assert found["a@0.0"] == [
        own,
        far,
        ("other", "by_lesion@other", "blur@2"),
        ("drawn", "by_lesion", "blur@1"),
    ]
    assert found["b@0.0"] == found["c@0.0"] == [own, far]
    assert found["baseline/by_lesion/majority@0.0"] == [own]


def test_baselines_are_evaluated_where_all_rows_are(tmp_path):
    data = TWO
    manifests = {"drawn": manifest(), "other": manifest("other")}
    text = with_changes(data=data, evaluate=[{"rows": "*", "on": "other"}])
    made = plan(tmp_path, text, manifests)
    assert {e.cell for e in made.evaluations if e.dataset == "other"} == {
        cell.name for cell in made.cells
    }


def test_across_datasets_the_test_is_the_other_one(tmp_path):
    data = TWO
    manifests = {"drawn": manifest(), "other": manifest("other")}
    splits = {"by_lesion": {"train": "drawn", "test": "other"}}
    made = plan(tmp_path, with_changes(data=data, splits=splits), manifests)
    assert {item.dataset for item in made.evaluations} == {"other"}
    assert set(made.fits[fit_of(made, "a")].datasets) == {"drawn", "other"}


# --- what cannot be ---


@pytest.mark.parametrize("way", ["split", "evaluate"])
def test_label_spaces_must_be_one_and_both_are_named(tmp_path, way):
    data = TWO
    manifests = {"drawn": manifest(), "other": manifest("other", labels="isic8")}
    change = {"evaluate": [{"rows": "a", "on": "other"}]}
    if way == "split":
        change = {"splits": {"by_lesion": {"train": "drawn", "test": "other"}}}
    error = refused(tmp_path, with_changes(data=data, **change), manifests)
    assert "drawn (ham7)" in error.message
    assert "other (isic8)" in error.message


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        (["age", "dx_type"], "gives it away"),
        (["file_size"], "how a file was stored"),
        (["label"], "it is the answer"),
        (["image_id"], "look its label up"),
        (["agee"], "did you mean 'age'"),
        ([], "name one or more"),
    ],
)
def test_inputs_that_give_the_label_away_are_refused_with_the_reason(tmp_path, fields, part):
    text = (
        "name: x\ndata: {drawn: {adapter: synthetic}}\n"
        "splits: {by_lesion: {data: drawn, test: 0.2}}\nrows:\n  a:\n    split: by_lesion\n"
        f"    model: baseline_cnn\n    input: {{name: metadata, options: {{fields: {fields}}}}}\n"
    )
    error = refused(tmp_path, text)
    assert error.line == 8
    assert error.key == "rows.a.input.options.fields"
    assert part in error.message


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ({"name": "mobilenetv2_100", "pretrained": True, "weights": {"file": "x"}}, "not both"),
        ({"name": "majority", "frozen": True}, "has no network"),
        ({"name": "majority", "weights": {"file": "x"}}, "has no network"),
        ({"name": "baseline_cnn", "pretrained": True}, "no pretrained weights"),
        ({"name": "mobilenetv2_100", "weights": {"file": "no.safetensors"}}, "no weights file at"),
        ({"name": "mobilenetv2_100", "weights": {"file": "w.pth"}}, "not a .safetensors file"),
        (
            {"name": "mobilenetv2_100", "weights": {"file": "${NOT_SET_X}/w"}},
            "NOT_SET_X is not set",
        ),
    ],
)
def test_models_that_cannot_be(tmp_path, model, part):
    (tmp_path / "w.pth").write_bytes(b"x")
    error = refused(tmp_path, with_changes(rows={"a": {"model": model}}))
    assert error.key.startswith("rows.a.model")
    assert part in error.message


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"gate": [{"metric": "recall", "class": "mell"}]}, "gate.0.class"),
        (
            {
                "rows": {
                    "a": {
                        **MODEL,
                        "claims": [
                            {"metric": "recall", "class": "mell", "value": 0.5, "source": "x"}
                        ],
                    }
                }
            },
            "rows.a.claims",
        ),
        (
            {
                "derived": {
                    "e": {
                        "kind": "mean_probability",
                        "of": "a",
                        "claims": [
                            {"metric": "recall", "class": "mell", "value": 0.5, "source": "x"}
                        ],
                    }
                }
            },
            "derived.e.claims",
        ),
    ],
)
def test_classes_that_the_label_space_lacks(tmp_path, change, key):
    error = refused(tmp_path, with_changes(**change))
    assert error.key == key
    assert "did you mean 'mel'" in error.message


# --- cost and packing ---


def test_heavier_fits_cost_more(tmp_path):
    rows = {
        "long": {**MODEL, "epochs": 20},
        "big": {**MODEL, "image_size": 64},
        "short": MODEL,
        "frozen": {"model": {"name": "mobilenetv2_100", "frozen": True}},
        "table": {**MODEL, "input": "metadata"},
    }
    made = plan(tmp_path, with_changes(rows=rows))
    weights = {node.name: node.weight for node in made.nodes}
    order = [weights[f"fit:{fit_of(made, row)}"] for row in ("long", "big", "short", "frozen")]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == 4
    plain = weights[f"fit:{fit_of(made, 'baseline/by_lesion/majority')}"]
    assert 0 < plain < order[-1]
    short = made.fits[fit_of(made, "short")]
    assert cost(short, 120) == 2 * cost(short, 60)
    assert weights[f"fit:{fit_of(made, 'big')}"] == 4 * weights[f"fit:{fit_of(made, 'short')}"]


def test_features_are_for_frozen_networks_that_see_unchanged_images(tmp_path):
    frozen = {"name": "mobilenetv2_100", "frozen": True}
    rows = {
        "yes": {"model": frozen},
        "yes2": {"model": frozen, "technique": "focal"},
        "augmented": {"model": frozen, "augment": "p1"},
        "thawed": {"model": "mobilenetv2_100"},
        "blind": {"model": frozen, "input": "metadata"},
    }
    made = plan(tmp_path, with_changes(rows=rows))
    used = {row: made.fits[fit_of(made, row)].stored_features for row in rows}
    assert used == {
        "yes": True,
        "yes2": True,
        "augmented": False,
        "thawed": False,
        "blind": False,
    }
    assert [node.kind for node in made.nodes].count("features") == 1
    keys = {row: spec_key(made.fits[fit_of(made, row)]) for row in rows}
    assert keys["yes"] == keys["yes2"]
    assert keys["yes"] != keys["thawed"]


def test_excluded_combinations_are_in_the_plan(tmp_path):
    grids = {
        "g": {
            "model": ["baseline_cnn"],
            "technique": ["none", "focal"],
            "exclude": [{"technique": "focal"}],
        }
    }
    made = plan(tmp_path, with_changes(grids=grids))
    assert [(item.row, "focal" in item.reason) for item in made.exclusions] == [
        ("g/baseline_cnn-focal", True)
    ]


def test_the_same_suite_gives_the_same_plan(tmp_path):
    assert plan(tmp_path, CHAIN) == plan(tmp_path, CHAIN)
