"""The same predictions on a class-balanced test set: every class with the same total weight.

Nothing is repeated. An image of class c weighs N / (K n_c), for N images of K classes with n_c
of the class, so that all weights sum to N. In each bootstrap replicate the classes are balanced
anew, as they are in the data: an interval is that of the quantity on balanced classes. Recall
stays what it was; accuracy becomes balanced accuracy; precision, specificity and the like say
what they would be at a prevalence of 1 / K.
"""

from __future__ import annotations

from dataclasses import replace

from skinbench.records import Plan
from skinbench.score.images import Key, ScoredImages

NAME = "class-balanced"
Place = tuple[str, str, str]
"""(row, dataset, condition)."""


def balanced_name(condition: str) -> str:
    """Under which name the second scores of a condition stand beside the first."""
    return NAME if condition == "none" else f"{condition}, {NAME}"


def balanced_places(plan: Plan) -> frozenset[Place]:
    """What `weighting: balanced` asks for; a derived row where all of its members have it."""
    row_of = {cell.name: cell.row for cell in plan.cells}
    found: dict[str, set[Key]] = {row: set() for row in row_of.values()}
    for item in plan.evaluations:
        if item.balanced:
            found[row_of[item.cell]].add((item.dataset, item.condition))
    for derived in plan.derived:  # members stand above
        row_of[derived.cell.name] = derived.cell.row
        members = [found[row_of[name]] for name in derived.members]
        found[derived.cell.row] = set.intersection(*members)
    return frozenset((row, *place) for row, places in found.items() for place in places)


def balanced_images(images: ScoredImages) -> ScoredImages:
    """The same images, to be scored with every class weighing the same."""
    return replace(images, balanced=True, condition=balanced_name(images.condition))
