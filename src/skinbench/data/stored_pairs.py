"""Near-duplicates that an earlier search left in the store, found without what searching needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from skinbench.errors import StoreError
from skinbench.records import ImageName, Manifest, NearDuplicatePair, NearDuplicates
from skinbench.store import Store, read_record

RESULT = "near_duplicates.json"
"""Name of the file in a stored object of kind `duplicates`, as the search writes it."""


def stored_near_duplicates(manifests: Iterable[Manifest], store: Store) -> NearDuplicates | None:
    """The widest earlier search over all of these datasets' images, by content.

    Pairs of other datasets that were searched at the same time are left out, and datasets have
    the names that they have here. None where no search has covered all of them.
    """
    names = {manifest.digest: manifest.name for manifest in manifests}
    best: NearDuplicates | None = None
    for name in store.names("duplicates", holding=RESULT):
        try:
            found = read_record(store.open("duplicates", name) / RESULT, NearDuplicates)
        except StoreError:
            continue  # of another version
        if set(names) <= set(found.datasets.values()):
            # A search that left something out comes after one that did not.
            better = best is None or len(found.not_looked_for) < len(best.not_looked_for)
            best = found if better else best
    return None if best is None else _renamed(best, names)


def _renamed(found: NearDuplicates, names: dict[str, str]) -> NearDuplicates:
    here = {old: names[digest] for old, digest in found.datasets.items() if digest in names}

    def name_of(image: ImageName) -> ImageName:
        return replace(image, dataset=here[image.dataset])

    def pair_of(pair: NearDuplicatePair) -> NearDuplicatePair:
        return replace(pair, left=name_of(pair.left), right=name_of(pair.right))

    def pairs_of(pairs: Iterable[NearDuplicatePair]) -> tuple[NearDuplicatePair, ...]:
        return tuple(
            pair_of(pair) for pair in pairs if {pair.left.dataset, pair.right.dataset} <= set(here)
        )

    return replace(
        found,
        datasets={here[old]: digest for old, digest in found.datasets.items() if old in here},
        pairs=pairs_of(found.pairs),
        other_views=pairs_of(found.other_views),
        groups=tuple(
            replace(group, images=tuple(map(name_of, group.images)))
            for group in found.groups
            if all(image.dataset in here for image in group.images)
        ),
    )
