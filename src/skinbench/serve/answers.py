"""One uploaded image answered: probabilities, decisions, evidence, warnings and a heatmap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from skinbench.bundle.decisions import Decision, decide
from skinbench.bundle.heat import class_heat, jpeg, overlay, shrunk, why_no_maps
from skinbench.bundle.images import ReadImage, squares
from skinbench.bundle.likeness import Unlike, feature_distance, judge, measure, read_arrays
from skinbench.bundle.metadata import Said, understand
from skinbench.bundle.model import Answers, BundleModel
from skinbench.bundle.words import NOT_A_DEVICE, NOT_COMMERCIAL
from skinbench.records.operating import AtPrevalence, Estimate
from skinbench.store import to_plain

LONGEST = 480
"""Longest side of the pictures that are shown, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Where a class's logit comes from."""

    class_: str
    picture: bytes
    """JPEG: the image under its heat."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Everything that is said of one image."""

    digest: str
    """sha256 of the uploaded file."""
    width: int
    height: int
    probabilities: Mapping[str, float]
    decisions: tuple[Decision, ...]
    warnings: tuple[Unlike, ...]
    notes: tuple[str, ...]
    """What was done to the image, and words of the metadata that the model never saw."""
    said: Mapping[str, str]
    """Metadata as it was taken."""
    picture: bytes
    """JPEG of the image."""
    heat: tuple[Heat, ...]
    no_heat: str
    """Why there is no heatmap; "" where there is one."""


class Answerer:
    """A loaded bundle that answers single images.

    Args:
        model: the bundle.
    """

    def __init__(self, model: BundleModel) -> None:
        self.model, self.bundle = model, model.record
        likeness = self.bundle.likeness
        self._arrays = (
            read_arrays(model.opened.root / likeness.file)
            if likeness is not None and likeness.file
            else {}
        )
        self._no_maps = why_no_maps(self.bundle)

    def answer(self, data: bytes, read: ReadImage, said: Said) -> Answer:
        """Answer one image.

        Args:
            data: the file's bytes, for their digest.
            read: the same, decoded.
            said: metadata by field.

        Raises:
            UsageError: a number in the metadata is none.
        """
        understood = understand(self.model, [said])
        sizes = set(self.model.sizes)
        if self.bundle.likeness is not None:
            sizes.add(self.bundle.likeness.image_size)
        pixels = {size: one[None] for size, one in squares(read.image, sorted(sizes)).items()}
        found = self.model.answer(
            pixels,
            understood.table,
            with_features=bool(self._arrays),
            with_maps=not self._no_maps,
        )
        probabilities = found.probabilities[0]
        decisions = tuple(decide(self.bundle, probabilities))
        shown = shrunk(read.image, LONGEST)
        heat, why = self._heat(found, shown, decisions[0].decided)
        words = [
            f"{field}: the model never saw '{word}' in training; taken as unknown"
            for field, word in sorted(understood.unknown[0].items())
        ]
        odd = understood.unknown[0]
        return Answer(
            digest=hashlib.sha256(data).hexdigest(),
            width=read.width,
            height=read.height,
            probabilities={
                code: float(value)
                for code, value in zip(self.bundle.classes, probabilities, strict=True)
            },
            decisions=decisions,
            warnings=self._warnings(pixels, read, found),
            notes=(*read.notes, *words),
            said={
                name: str(said[name])
                for name in self.model.fields
                if said.get(name) and name not in odd
            },
            picture=jpeg(shown),
            heat=heat,
            no_heat=why,
        )

    def _warnings(
        self, pixels: Mapping[int, npt.NDArray[np.uint8]], read: ReadImage, found: Answers
    ) -> tuple[Unlike, ...]:
        likeness = self.bundle.likeness
        if likeness is None:
            return ()
        distance = None
        if self._arrays and likeness.network in found.features:
            distance = feature_distance(found.features[likeness.network], self._arrays)
        measured = measure(
            pixels[likeness.image_size],
            np.array([read.width], dtype=np.float64),
            np.array([read.height], dtype=np.float64),
        )
        return judge(likeness, measured, distance)

    def _heat(
        self, found: Answers, shown: Image.Image, decided: str
    ) -> tuple[tuple[Heat, ...], str]:
        """Heat of the decided class and of the focus class."""
        if self._no_maps:
            return (), f"This model can give no heatmap: {self._no_maps}."
        network = self.bundle.networks[0]
        made = []
        for code in dict.fromkeys((decided, self.bundle.focus)):
            if code not in network.classes:
                continue
            index = network.classes.index(code)
            heat = class_heat(found.maps[network.name][0], index, network)
            if heat is not None:
                made.append(Heat(class_=code, picture=jpeg(overlay(shown, heat))))
        if not made:
            return (), "No place of this image speaks for the decided class."
        return tuple(made), ""


def answer_json(answer: Answer, answerer: Answerer) -> dict[str, Any]:
    """The answer as programs and the page get it."""
    bundle = answerer.bundle
    return {
        "notice": NOT_A_DEVICE,
        "licence": NOT_COMMERCIAL if bundle.non_commercial else "",
        "bundle": {"digest": answerer.model.opened.digest, "cell": bundle.cell},
        "image": {"sha256": answer.digest, "width": answer.width, "height": answer.height},
        "metadata": dict(answer.said),
        "probabilities": dict(answer.probabilities),
        "decisions": [
            {
                "rule": item.rule,
                "class": item.class_,
                "threshold": item.threshold,
                "decided": item.decided,
                "called": item.called,
            }
            for item in answer.decisions
        ],
        "warnings": [
            {
                "check": item.check,
                "message": item.message,
                "false_alarms": to_plain(item.false_alarms),
            }
            for item in answer.warnings
        ],
        "notes": list(answer.notes),
        "picture": _uri(answer.picture),
        "heatmaps": [{"class": h.class_, "picture": _uri(h.picture)} for h in answer.heat],
        "no_heatmap": answer.no_heat,
    }


def _uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


@dataclass(frozen=True, kw_only=True)
class RuleEvidence:
    """What one rule of deciding is worth for the focus class, on the test set."""

    rule: str
    """`argmax`, or an operating point's policy."""
    title: str
    threshold: float | None
    recall: Estimate
    specificity: Estimate
    precision: Estimate
    negative: Estimate
    """Negative predictive value."""
    beyond: tuple[AtPrevalence, ...]
    """At stated prevalences."""


def evidence_rules(answerer: Answerer) -> tuple[RuleEvidence, ...]:
    """Argmax and every operating point of the focus class."""
    bundle = answerer.bundle
    found = []
    own = {(item.metric, item.class_): item for item in bundle.evidence}
    found.append(
        _rule("argmax", "The most probable class", None, own, bundle.focus, bundle.prevalence)
    )
    for point in bundle.points:
        values = [t.value for t in point.thresholds if t.value is not None]
        if point.class_ != bundle.focus or not values or not point.scores:
            continue
        scores = {(item.metric, item.class_): item for item in point.scores}
        title = f"Threshold for {point.policy}"
        found.append(_rule(point.policy, title, values[0], scores, bundle.focus, bundle.prevalence))
    return tuple(found)


def _rule(
    rule: str,
    title: str,
    threshold: float | None,
    known: Mapping[tuple[str, str | None], Estimate],
    focus: str,
    beyond: tuple[AtPrevalence, ...],
) -> RuleEvidence:
    def of(metric: str) -> Estimate:
        missing = Estimate(metric=metric, class_=focus, value=None, n=0, reason="not measured")
        return known.get((metric, focus), missing)

    return RuleEvidence(
        rule=rule,
        title=title,
        threshold=threshold,
        recall=of("recall"),
        specificity=of("specificity"),
        precision=of("precision"),
        negative=of("negative_predictive_value"),
        beyond=tuple(item for item in beyond if item.rule == rule),
    )
