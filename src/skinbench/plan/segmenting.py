"""Rows that find lesions: what they may ask for, and how they stand in a plan."""

from __future__ import annotations

from skinbench import registry
from skinbench.records import Row
from skinbench.suite import Document, SuiteRow
from skinbench.suite.rows import plain


def segmentation_row(row: SuiteRow, document: Document) -> Row:
    """The plan's row of a segmentation.

    Raises:
        SuiteError: it asks for what only a row that decides a class can have.
    """
    settings, model = row.settings, row.settings.model
    assert model is not None
    names = ("frozen", "weights", "train_last", "head", "trained")
    parts = [name for name in names if getattr(model, name)]
    flips = "; its own flips are the option `flips` of the model"
    wrong = {
        "input": settings.input.name != "image" and "sees the image alone: `input: image`",
        "pixels": settings.pixels is not None and "sees the images themselves: leave pixels out",
        "technique": [choice.name for choice in settings.technique.all] != ["none"]
        and "has a loss of its own: leave it out",
        "output": settings.output != "softmax" and "gives a mask: leave output out",
        "tta": settings.tta is not None and "predicts the image as it is: leave tta out",
        "search": settings.search is not None and "is trained as it says: leave search out",
        "augment": bool(settings.augment)
        and f"needs masks to turn with images: `augment: []`{flips}",
        "model": bool(parts) and f"is trained whole: leave {', '.join(parts)} out",
        "claims": bool(row.claims) and "is scored by Dice and IoU, which claims do not know",
    }
    for key, problem in wrong.items():
        if problem:
            message = f"'{model.name}' finds lesions and decides no class; it {problem}"
            raise document.error(message, row.place(document, key))
    if model.pretrained and not registry.models.get(model.name).has_weights:
        message = f"'{model.name}' has no pretrained weights"
        raise document.error(message, row.place(document, "model"))
    return Row(
        name=row.name,
        kind="fit",
        model=model.label or model.name,
        input="image",
        technique="none",
        split=str(settings.split),
        label_space="",
        classes=(),
        settings=plain(settings),
    )
