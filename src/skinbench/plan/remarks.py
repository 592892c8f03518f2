"""What a reader of a row's numbers must know about how they were made, a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench import registry
from skinbench.records import FitSpec
from skinbench.suite import RowSettings, SuiteRow


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


def borrowed_notes(settings: RowSettings, rows: Mapping[str, SuiteRow]) -> tuple[str, ...]:
    """What a seed takes of another row where that row does not have the seed.

    Args:
        settings: of the row.
        rows: every row that trains, by name.
    """
    found = []
    if settings.pixels is not None:
        name = settings.pixels.row
        lacking = _lacking(settings, rows[name])
        if lacking:
            first = rows[name].settings.seeds[0]
            found.append(f"{lacking} sees what {name} makes at its seed {first}")
    weights = settings.model.weights if settings.model is not None else None
    if weights is not None and weights.row is not None:
        lacking = _lacking(settings, rows[weights.row])
        if lacking:
            found.append(f"{lacking} starts from {weights.row} trained for it alone")
    return tuple(found)


def unused_seeds(members: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Seeds of a derived row's members that not all of them have.

    Args:
        members: seeds of each member.
    """
    if not members:
        return ()
    shared = set.intersection(*(set(seeds) for seeds in members.values()))
    left = sorted({seed for seeds in members.values() for seed in seeds} - shared)
    return (f"{_seeds(left)} of some members left out: not all have them",) if left else ()


def _lacking(settings: RowSettings, other: SuiteRow) -> str:
    return _seeds([seed for seed in settings.seeds if seed not in other.settings.seeds])


def _seeds(seeds: Sequence[int]) -> str:
    word = "seed" if len(seeds) == 1 else "seeds"
    return f"{word} {', '.join(map(str, seeds))}" if seeds else ""
