"""What a run folder says about one cell, in the sentences that model card and checklists need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from skinbench import registry
from skinbench.records import CellOutcome, FitRecord
from skinbench.report import numbers
from skinbench.report.cells import Place
from skinbench.report.content import Content, DatasetFacts, SplitCount
from skinbench.report.tables import Scores
from skinbench.score.calibration import focus_class


@dataclass(frozen=True)
class CardFacts:
    """One cell of a run; every sentence is empty where the run folder does not say.

    Args:
        content: the run.
        scores: of its scorecard.
        place: the cell.
    """

    content: Content
    scores: Scores
    place: Place

    @property
    def focus(self) -> str:
        """Code of the class that matters most; empty for none."""
        return focus_class(self.place.row.classes) or ""

    @property
    def settings(self) -> Mapping[str, object]:
        """The row's settings, every default written out."""
        return self.place.row.settings

    @cached_property
    def test(self) -> DatasetFacts | None:
        """Dataset that the cell is judged on."""
        return self.content.datasets.get(self.place.dataset)

    @cached_property
    def counts(self) -> tuple[SplitCount, ...]:
        """Of the row's split."""
        split = self.content.splits.get(self.place.row.split)
        return split.counts if split else ()

    @cached_property
    def data(self) -> tuple[DatasetFacts, ...]:
        """Datasets that the split uses, and the test set, each once."""
        names = dict.fromkeys([*(c.dataset for c in self.counts), self.place.dataset])
        known = self.content.datasets
        return tuple(known[name] for name in names if name in known)

    @cached_property
    def cells(self) -> tuple[CellOutcome, ...]:
        """The row's cells."""
        return tuple(c for c in self.content.scorecard.cells if c.row == self.place.row.name)

    @cached_property
    def fits(self) -> tuple[FitRecord, ...]:
        """The row's own fits."""
        names = dict.fromkeys(cell.fit for cell in self.cells if cell.fit)
        return tuple(self.content.fits[name] for name in names if name in self.content.fits)

    @property
    def external(self) -> bool:
        """Judged on a dataset that no image of training comes from."""
        trained = {count.dataset for count in self.counts if count.split == "train"}
        return bool(trained) and self.place.dataset not in trained

    def sizes(self) -> str:
        """`train 7,010 images (5,229 lesion groups), val ..., test ...` of the first fold."""
        found = []
        for part in ("train", "val", "test"):
            mine = [c for c in self.counts if c.split == part and c.fold == 0]
            if mine:
                images, groups = sum(c.images for c in mine), [c.groups for c in mine]
                known = [g for g in groups if g is not None]
                of = f" ({numbers.counted(sum(known), 'lesion group')})" if known else ""
                found.append(f"{part} {numbers.counted(images, 'image')}{of}")
        folds = {count.fold for count in self.counts}
        more = f"; {len(folds)} folds, these are of the first" if len(folds) > 1 else ""
        return ", ".join(found) + more if found else ""

    def class_counts(self, part: str) -> str:
        """`nv 670, mel 111, ...` of one part of the first fold."""
        totals: dict[str, int] = {}
        for count in self.counts:
            if count.split == part and count.fold == 0:
                for code, number in count.per_class.items():
                    totals[code] = totals.get(code, 0) + number
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{code} {number:,}" for code, number in ordered)

    def score(self, metric: str, class_: str | None = None) -> str:
        """`mel recall 0.71 [0.65, 0.77], 223 images`; empty where it is not scored."""
        found = self.scores.find(self.place.where, metric, class_)
        if found is None:
            return ""
        title = numbers.short_title(metric, class_)
        if found.value is None:
            return f"{title}: {found.reason or 'undefined'}"
        return f"{title} {numbers.estimate(found.value, found.low, found.high)}"

    def headline(self) -> str:
        """The scores that stand first."""
        wanted = [(m, self.focus) for m in ("recall", "specificity", "auroc") if self.focus]
        wanted += [("balanced_accuracy", ""), ("accuracy", "")]
        return "; ".join(filter(None, (self.score(m, c or None) for m, c in wanted)))

    def grouping(self) -> str:
        """What is never divided between train, val and test."""
        split = self.content.splits.get(self.place.row.split)
        group = split.group if split else ""
        stamp = self.content.scorecard.stamps.get(self.place.row.split, "")
        said = f"split {self.place.row.split}, grouped by {group}" if group else ""
        return "; ".join(filter(None, (said, stamp)))

    def preprocessing(self) -> str:
        """What is done to images before a network sees them."""
        size = self.settings.get("image_size")
        said = f"decoded once, resized to {size} x {size} pixels" if size else ""
        augment = self.settings.get("augment")
        steps = augment if isinstance(augment, list | tuple) else ()
        names = [str(step["name"]) for step in steps if isinstance(step, Mapping)]
        return said and said + (f"; in training: {', '.join(names)}" if names else "")

    def training(self) -> str:
        """How the fits were made."""
        row = self.place.row
        if row.kind == "plain":
            return f"a baseline without a network: {row.model}"
        if row.kind == "derived":
            return f"made of other rows' predictions: {row.model}"
        parts = [row.model, f"input {row.input}", f"technique {row.technique}"]
        epochs = [len(fit.history) for fit in self.fits if fit.history]
        if epochs:
            few, most = min(epochs), max(epochs)
            span = f"{few} to {most} epochs" if few < most else numbers.counted(most, "epoch")
            parts.append(f"{span}, the kept one chosen on val")
        if self.fits and self.fits[0].parameters:
            first = self.fits[0]
            parts.append(
                f"{first.parameters:,} parameters, {first.trainable_parameters:,} of them trained"
            )
        return ", ".join(parts)

    def seen(self) -> str:
        """What a network is given of each case."""
        given = self.settings.get("input")
        name = str(given.get("name", "")) if isinstance(given, Mapping) else ""
        if name not in registry.inputs.names():
            return ""
        entry = registry.inputs.get(name)
        parts = ["the image"] if entry.uses_image else []
        parts += ["metadata"] if entry.uses_metadata else []
        return f"{' and '.join(parts)} ({name})"

    def decision_rule(self) -> str:
        """How an image is decided."""
        points = [
            item.policy
            for item in self.content.scorecard.operating
            if (item.row, item.dataset, item.condition) == self.place.where
        ]
        said = "the most probable class (argmax), set before test was seen"
        return f"{said}; besides, thresholds chosen on val: {', '.join(points)}" if points else said

    def subgroups(self) -> str:
        """Which subgroups were looked at, and how many had enough lesions."""
        spots = self.content.scorecard.weak_spots
        if spots is None or self.place.condition != "none":
            return ""
        mine = [g for g in spots.groups if (g.row, g.dataset) == self.place.where[:2]]
        names = dict.fromkeys(group.slice for group in mine)
        if not names:
            return ""
        valued = sum(group.value is not None for group in mine)
        return (
            f"{', '.join(names)}: {valued} of {len(mine)} scores within subgroups rest on at least "
            f"{spots.floor} lesion groups"
        )

    def conditions(self) -> list[str]:
        """Altered copies of the test set that the row was judged on too."""
        found = self.scores.places(self.place.row.name)
        return [c for d, c in found if d == self.place.dataset and c not in _NOT_ALTERED]

    def cleaning(self) -> str:
        """What cleaning took out of the test dataset."""
        if self.test is None:
            return ""
        taken = [f for f in self.test.findings if f.policy == "quarantine" and f.count]
        if not taken:
            return "cleaning took no image out"
        return "; ".join(f"{f.count:,} taken out: {f.kind.replace('_', ' ')}" for f in taken)


_NOT_ALTERED = frozenset({"none", "class-balanced"})
