import pytest

from tests.suite.texts import fails, load, with_changes


def grid(**settings):
    return with_changes(rows={}, grids={"g": settings})


def names(suite):
    return [row.name for row in suite.rows]


def test_lists_multiply_in_their_order(tmp_path):
    suite = load(
        tmp_path,
        grid(input=["image", "fusion_concat"], model="baseline_cnn", technique=["none", "focal"]),
    )
    assert names(suite) == [
        "g/image-none",
        "g/image-focal",
        "g/fusion_concat-none",
        "g/fusion_concat-focal",
    ]
    assert {row.settings.model.name for row in suite.rows} == {"baseline_cnn"}
    assert suite.rows[3].settings.input.name == "fusion_concat"


def test_a_list_of_one_is_an_axis_and_a_single_value_is_not(tmp_path):
    assert names(load(tmp_path, grid(model=["baseline_cnn"], technique="none"))) == [
        "g/baseline_cnn"
    ]


def test_lists_that_are_one_value(tmp_path):
    suite = load(tmp_path, grid(model=["baseline_cnn"], seeds=[1, 2], augment=["p1", "rotation"]))
    assert names(suite) == ["g/baseline_cnn"]
    assert suite.rows[0].settings.seeds == [1, 2]
    assert len(suite.rows[0].settings.augment) == 2


@pytest.mark.parametrize(
    ("axis", "values", "labels"),
    [
        ("epochs", [1, 2], ["1", "2"]),
        ("early_stopping", [None, {"patience": 3}], ["none", "patience=3"]),
        (
            "reduce_on_plateau",
            [{"factor": 0.5, "patience": 2}, None],
            ["factor=0.5,patience=2", "none"],
        ),
        ("optimizer", [{"lr": 0.1}, {"lr": 0.01}], ["lr=0.1", "lr=0.01"]),
        ("optimizer", [{"name": "sgd", "label": "fast"}, "sgd"], ["fast", "sgd"]),
        (
            "technique",
            [{"name": "focal", "options": {"gamma": 1}, "label": "g1"}, "focal"],
            ["g1", "focal"],
        ),
        ("image_size", [32, 64], ["32", "64"]),
    ],
)
def test_labels_tell_values_apart(tmp_path, axis, values, labels):
    suite = load(tmp_path, grid(model="baseline_cnn", **{axis: values}))
    assert names(suite) == [f"g/{label}" for label in labels]


def test_exclude_leaves_a_reason(tmp_path):
    suite = load(
        tmp_path,
        grid(
            model=["baseline_cnn", "majority"],
            technique=["none", {"name": "focal", "options": {"gamma": 1}}],
            exclude=[{"model": "majority", "technique": "focal"}],
        ),
    )
    assert names(suite) == ["g/baseline_cnn-none", "g/baseline_cnn-focal", "g/majority-none"]
    assert [(item.name, item.reason) for item in suite.excluded] == [
        ("g/majority-focal", "excluded by the grid (model: majority, technique: focal)")
    ]


@pytest.mark.parametrize(
    ("settings", "key", "part"),
    [
        ({"model": "baseline_cnn"}, "grids.g", "at least one list"),
        ({"model": []}, "grids.g.model", "empty list"),
        ({"model": ["baseline_cnn", "baseline_cnn"]}, "grids.g", "give one value a `label`"),
        ({"modle": ["baseline_cnn"]}, "grids.g.modle", "did you mean 'model'"),
        ({"model": ["baseline_cnn"], "exclude": {"model": "x"}}, "grids.g.exclude", "list of map"),
        (
            {"model": ["baseline_cnn"], "exclude": [{"model": "majority"}]},
            "grids.g.exclude.0.model",
            "which the grid lacks; known: baseline_cnn",
        ),
        (
            {"model": ["baseline_cnn"], "exclude": [{"modle": "x"}]},
            "grids.g.exclude.0.modle",
            "did you mean 'model'",
        ),
        ({"model": ["baseline_cnn"], "epochs": [1, "x"]}, "grids.g.epochs", "integer"),
        ({"model": [{"name": "baseline_cnn", "label": "a b"}]}, "grids.g", "no name for a row"),
        (
            {
                "model": ["baseline_cnn"],
                **{k: list(range(1, 60)) for k in ("epochs", "batch_size", "image_size")},
            },
            "grids.g",
            "205,379 rows",
        ),
    ],
)
def test_grids_that_cannot_be(tmp_path, settings, key, part):
    error = fails(tmp_path, grid(**settings))
    assert error.key == key
    assert error.line is not None
    assert part in error.message


def test_a_wrong_key_points_at_its_own_line(tmp_path):
    text = (
        "name: x\ndata: {d: {adapter: synthetic}}\nsplits: {s: {data: d, test: 0.2}}\n"
        "defaults: {split: s}\ngrids:\n  g:\n    model: [baseline_cnn]\n    epoch: 3\n"
    )
    error = fails(tmp_path, text)
    assert (error.line, error.key) == (8, "grids.g.epoch")


def test_two_rows_of_one_name(tmp_path):
    text = with_changes(
        rows={"g/none": {"model": "baseline_cnn"}},
        grids={"g": {"model": "baseline_cnn", "technique": ["none"]}},
    )
    assert "two rows are called 'g/none'" in str(fails(tmp_path, text))
