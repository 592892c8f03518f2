"""From probabilities to a cell's predictions table: which images, and their labels and groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.spaces import SpaceMap, judged_labels, judged_probabilities, space_map
from skinbench.records import Evaluation, Manifest, SplitTable


def evaluated_images(evaluation: Evaluation, split: SplitTable, fold: int) -> pd.DataFrame:
    """Images that an evaluation predicts: its test, and val where nothing is altered.

    Val is predicted once, under condition `none` of the cell's own split: thresholds and
    ensembles are chosen on it.

    Returns:
        The rows of the split table, sorted by dataset and image_id.
    """
    own = "@" not in evaluation.split
    wanted = (
        ["val"]
        if evaluation.only
        else ["val", "test"]
        if own and evaluation.condition == "none"
        else ["test"]
    )
    table = split.table
    chosen = table[(table["fold"] == fold) & table["split"].isin(wanted)]
    return chosen.sort_values(["dataset", "image_id"], ignore_index=True)


def prediction_frame(
    images: pd.DataFrame,
    probabilities: npt.NDArray[np.float32],
    manifest: Manifest,
    *,
    condition: str,
    mapping: SpaceMap,
) -> pd.DataFrame:
    """Predictions of one dataset's images in the shape of records.predictions_schema.

    Probabilities and labels are brought into the space that is judged; labels that are in it
    already stay.

    Args:
        images: rows of the split table, one dataset; an image can be there in val and in test.
        probabilities: [N, C] float32, in the classes that the fit learnt; a row for each distinct
            image, in the order of `images`.
        manifest: of that dataset; gives label and group.
        condition: `none`, or e.g. `blur@3`.
        mapping: from the learnt label space to the judged one.

    Raises:
        UsageError: the images' own labels cannot become those of the judged space.
    """
    probabilities = probabilities[pd.factorize(images["image_id"])[0]]
    target = mapping.target
    facts = manifest.table.set_index("image_id").loc[images["image_id"]]
    frame = pd.DataFrame(
        {
            "image_id": images["image_id"].to_numpy(),
            "group_id": facts["group_id"].to_numpy(),
            "dataset": images["dataset"].to_numpy(),
            "split": images["split"].to_numpy(),
            "fold": images["fold"].to_numpy(np.int32),
            "condition": condition,
            "weight": images["copies"].to_numpy(np.float32),
            "label": judged_labels(
                facts["label"].to_numpy(dtype=object), space_map(manifest.label_space, target)
            ),
        }
    )
    judged = judged_probabilities(probabilities, mapping)
    for index, code in enumerate(target.classes):
        frame[f"p_{code}"] = judged[:, index]
    return frame
