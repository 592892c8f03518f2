"""Where models fail whose predictions skinbench did not make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skinbench.records import WeakSpots
from skinbench.records.malignancy import MALIGNANT_CODES
from skinbench.score.foreign import Foreign
from skinbench.score.weak_spots.estimates import Settings
from skinbench.score.weak_spots.find import Facts, find_weak_spots


def weak_spots_of(given: Sequence[Foreign], settings: Settings | None = None) -> WeakSpots:
    """Look at one or several models' predictions of the same or different images.

    Subgroups are those that the tables of their images tell of; where tables share an image, the
    first one's value stands. Models on the same images are compared with each other; there are
    no baselines without a network to compare with.

    Args:
        given: each with a name of its own.
        settings: metrics, floor, replicates and level; None takes the defaults.
    """
    slices: dict[str, dict[str, str]] = {}
    lesions: dict[str, str] = {}
    for item in given:
        for name, values in item.slices.items():
            for image_id, value in values.items():
                slices.setdefault(name, {}).setdefault(image_id, value)
        table = item.manifest.table
        known = table[table["lesion_id"].notna()]
        for image_id, lesion in zip(known["image_id"], known["lesion_id"], strict=True):
            lesions.setdefault(str(image_id), str(lesion))
    chosen = settings or Settings()
    if not chosen.malignant:
        chosen = replace(chosen, malignant=MALIGNANT_CODES)
    return find_weak_spots(
        [item.row for item in given],
        {item.cell.cell: item.predictions for item in given},
        [item.cell for item in given],
        Facts(
            slices=slices,
            asked=tuple(slices),
            lesions=lesions or None,
            own={item.row.name: item.manifest.name for item in given},
        ),
        chosen,
    )
