"""How often a test set was used: the more models it has judged, the less a pass on it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skinbench.errors import StoreError, counted
from skinbench.records import SetUse, Verdict
from skinbench.score.images import ScoredImages
from skinbench.store import alone_in, content_digest, default_store_path, read_json, write_json

Uses = Mapping[str, Sequence[str]]
"""Digest of a test set to digests of the models that it has judged."""


def set_use(sides: Sequence[ScoredImages], split: str = "") -> SetUse:
    """One use of a test set: a row's predictions of it, every seed in order.

    Args:
        sides: the row's images, seed by seed.
        split: that made the test set.
    """
    first = sides[0]
    labels = [first.classes[index] for index in first.labels]
    truth = sorted(set(zip(first.image_ids.tolist(), labels, strict=True)))
    shown = [
        [images.decisions.tolist(), images.probabilities.astype("float32").tolist()]
        for images in sides
    ]
    model = content_digest([first.image_ids.tolist(), first.folds.tolist(), shown])
    return SetUse(
        dataset=first.dataset,
        set=content_digest([list(pair) for pair in truth])[:16],
        images=first.count(),
        models=(model[:16],),
        split="" if split == first.dataset else split,
    )


def joined_uses(found: Iterable[SetUse]) -> tuple[SetUse, ...]:
    """One line for each test set, with every model that was judged on it."""
    by_set: dict[str, SetUse] = {}
    for use in found:
        known = by_set.get(use.set)
        models = sorted({*(known.models if known else ()), *use.models})
        by_set[use.set] = replace(known or use, models=tuple(models))
    return tuple(by_set[name] for name in sorted(by_set))


def merged(*parts: Uses) -> dict[str, list[str]]:
    """Several counts as one, each model once."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for name, models in part.items():
            found.setdefault(name, set()).update(models)
    return {name: sorted(found[name]) for name in sorted(found)}


def counted_uses(verdict: Verdict, known: Uses) -> Verdict:
    """The verdict with its uses counted beside those that are known, a note for each set."""
    uses, notes = [], []
    for use in verdict.uses:
        before = set(known.get(use.set, ()))
        total = len(before | set(use.models))
        uses.append(replace(use, known=len(before), total=total))
        new = total - len(before)
        fresh = f"{new} of them new" if new else "none of them new"
        place = f"{use.dataset}, {use.split}" if use.split else use.dataset
        notes.append(
            f"test set of {counted(use.images, 'image')} ({place}) has judged "
            f"{counted(total, 'model')} so far, {fresh}: the more it judges, the less a pass says"
        )
    return replace(verdict, uses=tuple(uses), notes=(*verdict.notes, *dict.fromkeys(notes)))


def ledger_path(store: Path | None = None) -> Path:
    """The count that this machine keeps: in the store, the user's where none is named."""
    return (store or default_store_path()) / "gate_uses.json"


def read_ledger(path: Path) -> dict[str, list[str]]:
    """The count so far; empty where there is none yet.

    Raises:
        StoreError: the file is no such count.
    """
    if not path.exists():
        return {}
    content: Any = read_json(path)
    wrong = not isinstance(content, dict) or not all(
        isinstance(models, list) and all(isinstance(item, str) for item in models)
        for models in content.values()
    )
    if wrong:
        raise StoreError(f"{path}: is not a count of test set uses; name another file with --uses")
    return merged(content)


def count_in_ledger(verdict: Verdict, kept: Uses, path: Path) -> Verdict:
    """Count a verdict's uses, and remember them; gates at work beside this one lose none.

    Args:
        verdict: from `judge`.
        kept: what the baseline remembers.
        path: the ledger; one that cannot be written costs a note, never the verdict.
    """
    ledger = read_ledger(path)
    own = {use.set: use.models for use in verdict.uses}
    problem = ""
    if merged(ledger, own) != ledger:
        try:
            with alone_in(path.parent):
                ledger = read_ledger(path)  # again: others may have counted since
                write_json(path, merged(ledger, own))
        except (StoreError, OSError) as error:
            problem = f"the use of the test set could not be remembered: {error}"
    found = counted_uses(verdict, merged(kept, ledger))
    return replace(found, notes=(*found.notes, problem)) if problem else found
