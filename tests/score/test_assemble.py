"""Predictions come into the judged label space before they are written; hand-made numbers."""

import dataclasses

import numpy as np
import pandas as pd

from skinbench.data.spaces import space_map
from skinbench.data.taxonomy import label_space
from skinbench.records import Evaluation, Manifest, SplitTable
from skinbench.score.assemble import evaluated_images, prediction_frame
from skinbench.score.predictions import check_frame
from tests.data.made import manifest_of

ISIC8, HAM7 = label_space("isic8"), label_space("ham7")
MALIGNANT = label_space("malignant")


def made(labels: list, space, name: str = "d") -> Manifest:
    return dataclasses.replace(manifest_of(labels, name=name), label_space=space)


def images(manifest: Manifest, part: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": manifest.table["image_id"],
            "dataset": manifest.name,
            "fold": 0,
            "split": part,
            "copies": 1,
        }
    )


def judged(manifest: Manifest, rows: list, target, part: str = "test"):
    """The checked table, as it would be written."""
    frame = prediction_frame(
        images(manifest, part),
        np.array(rows, dtype=np.float32),
        manifest,
        condition="none",
        mapping=space_map(ISIC8, target),
    )
    return check_frame(frame, target.classes, "here")


# mel nv bcc ak bkl df vasc scc
TORN = [0.0, 0.4, 0.0, 0.3, 0.0, 0.0, 0.0, 0.3]
SURE = [0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_finer_model_on_a_coarser_test_set() -> None:
    found = judged(made(["akiec", "mel"], HAM7), [TORN, SURE], HAM7)
    assert found.frame["label"].tolist() == ["akiec", "mel"]
    np.testing.assert_allclose(found.frame["p_akiec"], [0.6, 0.0], atol=1e-7)
    decisions = [HAM7.classes[i] for i in found.probabilities().argmax(axis=1)]
    assert decisions == ["akiec", "mel"]  # in isic8 the first would be nv, and wrong


def test_val_of_the_finer_space_is_judged_in_the_coarser_one() -> None:
    found = judged(made(["ak", "scc", None], ISIC8), [TORN, TORN, SURE], HAM7, "val")
    assert found.frame["label"].tolist()[:2] == ["akiec", "akiec"]
    assert found.frame["label"].isna().tolist() == [False, False, True]


def test_what_the_choice_about_ak_leaves_out_has_no_label() -> None:
    found = judged(made(["ak", "scc", "nv"], ISIC8), [TORN, TORN, SURE], MALIGNANT, "val")
    assert found.frame["label"].fillna("-").tolist() == ["-", "malignant", "benign"]
    np.testing.assert_allclose(found.frame["p_malignant"], [0.3 / 0.7, 0.3 / 0.7, 0.9], rtol=1e-6)


def test_the_same_space_changes_no_bit() -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(8), 5).astype(np.float32)
    found = judged(made(["mel", "nv", "ak", "scc", "df"], ISIC8), rows.tolist(), ISIC8)
    columns = [f"p_{code}" for code in ISIC8.classes]
    assert found.frame[columns].to_numpy(np.float32).tobytes() == rows.tobytes()


def test_a_row_in_another_space_predicts_val_alone_of_its_own_split() -> None:
    manifest = made(["mel", "nv"], ISIC8)
    table = pd.concat([images(manifest, "val")[:1], images(manifest, "test")[1:]])
    split = SplitTable(name="s", table=table, group="lesion", folds=1, digest="x")
    item = Evaluation(cell="a@0.0", dataset="d", split="s", condition="none")
    assert evaluated_images(item, split, 0)["split"].tolist() == ["val", "test"]
    only = dataclasses.replace(item, only="val")
    assert evaluated_images(only, split, 0)["split"].tolist() == ["val"]
