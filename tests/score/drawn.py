"""Predictions drawn from a seed, with lesion groups, for the tests of score and gate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from skinbench.records import Cell, Row
from skinbench.score.predictions import Predictions, check_frame

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
SHARES = np.array([0.033, 0.051, 0.11, 0.012, 0.111, 0.668, 0.015])


def row(name="grid/a", kind="fit", classes=CLASSES, claims=(), split="by_lesion", **more):
    return Row(
        name=name,
        kind=kind,
        model="m",
        input="image",
        technique="none",
        split=split,
        label_space="ham7",
        classes=classes,
        claims=claims,
        **more,
    )


def cell(name="grid/a", fold=0, seed=0):
    return Cell(row=name, fold=fold, seed=seed, fit="f")


def frame(n=600, *, seed=0, skill=1.5, classes=CLASSES, fold=0, dataset="ham", condition="none"):
    """n test images of about 0.75 n lesions; `skill` lifts the logit of the truth."""
    generator = np.random.default_rng(7)  # images, labels and groups are the same for every seed
    shares = SHARES[: len(classes)] / SHARES[: len(classes)].sum()
    lesion_labels = generator.choice(len(classes), size=n, p=shares)
    lesions = np.sort(generator.integers(0, int(n * 0.75), size=n))
    labels = lesion_labels[lesions]
    logits = np.random.default_rng([seed, fold]).normal(size=(n, len(classes)))
    logits[np.arange(n), labels] += skill
    return table(labels, softmax(logits), lesions, classes, fold, dataset, condition)


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def table(labels, probabilities, lesions, classes=CLASSES, fold=0, dataset="ham", condition="none"):
    n = len(labels)
    columns = {
        "image_id": [f"i{fold}_{i:05d}" for i in range(n)],
        "group_id": [f"l{fold}_{lesion:05d}" for lesion in lesions],
        "dataset": dataset,
        "split": "test",
        "fold": fold,
        "condition": condition,
        "weight": 1.0,
        "label": [classes[label] for label in labels],
    }
    for index, code in enumerate(classes):
        columns[f"p_{code}"] = np.asarray(probabilities)[:, index].astype(np.float32)
    return pd.DataFrame(columns)


def decided(labels, decisions, lesions=None, classes=CLASSES, **options):
    """A table whose decisions are given: 0.9 for the decided class."""
    size = len(classes)
    probabilities = np.full((len(labels), size), 0.1 / (size - 1))
    probabilities[np.arange(len(labels)), decisions] = 0.9
    groups = range(len(labels)) if lesions is None else lesions
    return table(labels, probabilities, groups, classes, **options)


def predictions(data, classes=CLASSES) -> Predictions:
    return check_frame(data, classes, "drawn")
