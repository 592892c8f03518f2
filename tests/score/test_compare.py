import numpy as np
import pytest

from skinbench.errors import UnknownNameError
from skinbench.records import Contrast
from skinbench.records.resampling import Resamples
from skinbench.score.compare import compare_rows
from tests.score.drawn import cell, decided, predictions, row

CLASSES = ("mel", "nv")
PAIR = Contrast(
    name="gap", row="a", against="b", metrics=("accuracy", "recall:mel", "specificity:mel")
)


def side(decisions, *, labels, images=None):
    data = decided(labels, decisions, classes=CLASSES)
    if images is not None:
        data = data.assign(image_id=images, group_id=images)
    return predictions(data, CLASSES)


def compared(left, right, contrast=PAIR, **options):
    rows = [row(name=name, classes=CLASSES) for name in ("a", "b")]
    cells, tables = [], {}
    for name, tables_of_seeds in (("a", left), ("b", right)):
        for seed, table in enumerate(tables_of_seeds):
            cells.append(cell(name, seed=seed))
            tables[cells[-1].name] = table
    found = compare_rows(
        [contrast], rows, tables, cells, resamples=Resamples(**{"replicates": 400, **options})
    )
    return {item.metric: item for item in found}


LABELS = [0] * 60 + [1] * 140
RIGHT = list(LABELS)
WORSE = [1] * 12 + [0] * 48 + [1] * 140  # 12 melanomas missed


def test_by_hand_and_paired():
    found = compared([side(WORSE, labels=LABELS)], [side(RIGHT, labels=LABELS)])
    recall = found["recall"]
    assert recall.difference == pytest.approx(-12 / 60)
    assert (recall.paired, recall.n, recall.n_positive, recall.n_groups) == (True, 200, 60, 60)
    assert recall.low < -0.2 < recall.high < 0
    assert found["specificity"].difference == 0
    assert found["accuracy"].difference == pytest.approx(-12 / 200)
    assert recall.seeds == 1
    assert recall.sd_seeds is None


def test_a_row_against_itself_is_zero_in_every_resample():
    found = compared([side(WORSE, labels=LABELS)], [side(WORSE, labels=LABELS)])
    assert found["recall"].difference == 0
    assert found["recall"].low is None
    assert "same value" in found["recall"].reason


def test_other_images_are_unpaired_and_wider():
    generator = np.random.default_rng(0)
    labels = [0] * 300 + [1] * 300
    noisy = [int(v) if generator.random() > 0.3 else 1 - int(v) for v in labels]
    images = [f"other{i}" for i in range(600)]
    paired = compared(
        [side(noisy, labels=labels)], [side(noisy[:590] + labels[590:], labels=labels)]
    )
    apart = compared(
        [side(noisy, labels=labels)],
        [side(noisy[:590] + labels[590:], labels=labels, images=images)],
    )
    assert apart["accuracy"].difference == pytest.approx(paired["accuracy"].difference)
    assert not apart["accuracy"].paired
    assert "unpaired" in apart["accuracy"].reason
    width = {
        name: x["accuracy"].high - x["accuracy"].low for name, x in [("p", paired), ("u", apart)]
    }
    assert width["u"] > 3 * width["p"]
    independent = np.sqrt(2 * 0.3 * 0.7 / 600) * 2 * 1.96  # two shares of 600 images each
    assert width["u"] == pytest.approx(independent, rel=0.2)


def test_seeds_are_averaged_and_their_spread_stands_beside():
    left = [side(WORSE, labels=LABELS), side(RIGHT, labels=LABELS)]
    right = [side(RIGHT, labels=LABELS), side(RIGHT, labels=LABELS)]
    recall = compared(left, right)["recall"]
    assert recall.difference == pytest.approx(-0.1)
    assert recall.seeds == 2
    assert recall.sd_seeds == pytest.approx(np.std([-0.2, 0.0], ddof=1))


def test_a_missing_side_is_none_with_the_reason():
    found = compared([side(WORSE, labels=LABELS)], [])
    assert found["recall"].difference is None
    assert found["recall"].reason == "row b has no test predictions"


def test_an_unknown_class_is_named():
    contrast = Contrast(name="gap", row="a", against="b", metrics=("recall:mal",))
    with pytest.raises(UnknownNameError, match="mel"):
        compared([side(WORSE, labels=LABELS)], [side(RIGHT, labels=LABELS)], contrast)
