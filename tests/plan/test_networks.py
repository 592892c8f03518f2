"""What a suite is told about a network before anything is built."""

from __future__ import annotations

import pytest

from skinbench.errors import SuiteError
from tests.data.made import manifest_of
from tests.plan.made import fit_of, plan
from tests.suite.texts import fails, with_changes

TWO = {
    "drawn": manifest_of(
        ["mel" if index % 3 == 0 else "rest" for index in range(60)],
        [f"L{index // 2}" for index in range(60)],
        name="drawn",
        labels_of="melanoma",
    )
}


def told(folder, settings, manifests=None):
    with pytest.raises(SuiteError) as caught:
        plan(folder, with_changes(rows={"a": {"model": "baseline_cnn", **settings}}), manifests)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (
            {"model": {"name": "baseline_cnn", "frozen": True}, "optimizer": {"layer_decay": 0.5}},
            "rows.a.optimizer.layer_decay: `layer_decay` is for an encoder that is trained",
        ),
        (
            {"model": {"name": "baseline_cnn", "train_last": 1}, "input": "metadata"},
            "rows.a.model.train_last: input 'metadata' reads no image: leave `train_last` out",
        ),
        (
            {"model": {"name": "baseline_cnn", "head": {"dense": 8}}, "input": "metadata"},
            "leave `head` out",
        ),
        (
            {"optimizer": {"layer_decay": 0.5}, "input": "metadata"},
            "leave `layer_decay` out",
        ),
        ({"model": {"name": "majority", "head": {"dense": 8}}}, "has no network: leave head out"),
        ({"output": "sigmoid"}, "rows.a.output: one sigmoid is for two classes, and split"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contradictions(tmp_path, settings, part):
    assert part in told(tmp_path, settings)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (
            {"model": {"name": "baseline_cnn", "frozen": True, "train_last": 1}},
            "give `frozen: true` (no stage is trained) or `train_last`, not both",
        ),
        ({"model": {"name": "baseline_cnn", "train_last": 0}}, "greater than 0"),
        ({"model": {"name": "baseline_cnn", "head": {}}}, "needs `dense` or `dropout`"),
        ({"model": {"name": "baseline_cnn", "head": {"dense": [0]}}}, "greater than 0"),
        ({"model": {"name": "baseline_cnn", "head": {"dropout": 1}}}, "less than 1"),
        ({"optimizer": {"layer_decay": 1.5}}, "less than 1"),
        ({"output": "sigmiod"}, "did you mean 'sigmoid'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_found_on_reading(tmp_path, settings, part):
    text = with_changes(rows={"a": {"model": "baseline_cnn", **settings}})
    assert part in str(fails(tmp_path, text))


def test_one_sigmoid_for_two_classes_is_another_fit(tmp_path):
    rows = {"a": {"model": "baseline_cnn", "output": "sigmoid"}, "b": {"model": "baseline_cnn"}}
    made = plan(tmp_path, with_changes(rows=rows), TWO)
    assert fit_of(made, "a") != fit_of(made, "b")
    assert made.fits[fit_of(made, "a")].output == "sigmoid"
    assert made.fits[fit_of(made, "a")].classes == ("rest", "mel")


def test_baselines_beside_a_sigmoid_row_are_the_same_fits(tmp_path):
    def baselines(output):
        defaults = {"split": "by_lesion", "epochs": 2, "image_size": 32, "output": output}
        made = plan(tmp_path, with_changes(defaults=defaults), TWO)
        return {cell.fit for cell in made.cells if cell.row.startswith("baseline/")}

    assert baselines("sigmoid") == baselines("softmax")


def test_heads_on_one_frozen_encoder_share_its_features(tmp_path):
    frozen = {"name": "mobilenetv2_100", "frozen": True}
    rows = {"a": {"model": frozen}, "b": {"model": {**frozen, "head": {"dense": 64}}}}
    made = plan(tmp_path, with_changes(rows=rows, baselines=False))
    assert len(made.fits) == 2
    assert [node.kind for node in made.nodes].count("features") == 1
