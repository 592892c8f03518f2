"""What a reader of a row's numbers must know about how they were made, a sentence each."""

from __future__ import annotations

from skinbench import registry
from skinbench.records import FitSpec
from skinbench.suite import RowSettings


def protocol_notes(settings: RowSettings, spec: FitSpec) -> tuple[str, ...]:
    """How a row's training or prediction differs from what its settings say elsewhere.

    Args:
        settings: of the row.
        spec: one of its fits.
    """
    found = []
    for item in spec.train.augment if spec.stored_features else ():
        entry = registry.augments.get(item.name)
        if entry.views is not None:
            names = entry.views({**entry.options, **item.options})
            found.append(
                f"trained on stored features of {len(names)} fixed views of each image "
                f"({', '.join(names)}), one drawn for each image and epoch: no other transform"
            )
    if settings.tta is not None and settings.tta != ["none"]:
        found.append(
            f"predicts the mean probability of {len(settings.tta)} views of each image "
            f"({', '.join(settings.tta)})"
        )
    return tuple(found)
