"""Pictures of cases: thumbnails, outlines, and heat that is looked at for artefacts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from skinbench import registry
from skinbench.data.made_pixels import seen_digest
from skinbench.data.outlines import drawn, lesion_outline
from skinbench.data.pictures import save_picture
from skinbench.data.pixels import open_pixels, thumbnail
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Answer, Case, CaseSet, FitSpec
from skinbench.store import RunFolder, Store, file_name

THUMBNAIL = 192
"""Longest side of a kept thumbnail, pixels."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A case of which a fit's heat is wanted."""

    image_id: str
    label: str
    answer: Answer


def thumbnails(prepared: Prepared, cases: CaseSet, folder: RunFolder) -> tuple[Case, ...]:
    """A set's cases with their thumbnails and outlines; as they are where data is private."""
    if cases.dataset in prepared.suite.file.private_data:
        return cases.cases
    manifest = prepared.manifests[cases.dataset]
    found = []
    for case in cases.cases:
        stem = f"{manifest.name}+{file_name(case.image_id)}"
        outline = lesion_outline(manifest, case.image_id)
        plain, marked = f"{stem}.webp", f"{stem}.outlined.webp" if outline else ""
        missing = [n for n in (plain, marked) if n and not (folder.thumbnails / n).exists()]
        if missing:
            picture = thumbnail(manifest, case.image_id, THUMBNAIL)
            save_picture(folder.thumbnails / plain, picture, THUMBNAIL)
            if marked:
                save_picture(folder.thumbnails / marked, drawn(picture, outline), THUMBNAIL)
        found.append(dataclasses.replace(case, thumbnail=plain, outlined=marked, outline=outline))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class CaseHeat:
    """Makes the heatmaps of a run's cases; what exists is not made again."""

    prepared: Prepared
    folder: RunFolder
    store: Store
    method: str
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Heatmap -> its artefact flags."""

    def of(self, fit: str, dataset: str, wanted: Sequence[Wanted]) -> list[Answer]:
        """Answers of a fit with their heat, of the decided class and of the true one.

        Raises:
            UsageError: the explainer does not apply to the fit's network.
            MissingExtraError: the explainer's library is not installed.
        """
        spec = self.prepared.plan.fits[fit]
        if not registry.inputs.get(spec.input.name).uses_image:
            return [item.answer for item in wanted]
        private = dataset in self.prepared.suite.file.private_data
        answers = [item.answer if private else self._named(fit, spec, item) for item in wanted]
        flags = self._make(fit, dataset, wanted, answers, private=private)
        return [
            dataclasses.replace(answer, flags=flags.get(item.image_id, answer.flags))
            for item, answer in zip(wanted, answers, strict=True)
        ]

    def _named(self, fit: str, spec: FitSpec, item: Wanted) -> Answer:
        """The answer with the names of its pictures."""
        from skinbench.learn.artefacts import VERSION

        version = f"{registry.explainers.get(self.method).version}.{VERSION}"

        def stem(code: str) -> str:
            return f"{self.method}{version}+{fit[:12]}+{code}+{file_name(item.image_id)}"

        of_decided = stem(item.answer.decided)
        of_label = stem(item.label) if item.label != item.answer.decided else ""
        heat = f"{of_decided}.webp"
        return dataclasses.replace(
            item.answer,
            heat=heat,
            overlay=f"{of_decided}.overlay.webp",
            heat_of_label=of_label and f"{of_label}.webp",
            overlay_of_label=of_label and f"{of_label}.overlay.webp",
            seen=f"{fit[:12]}+{file_name(item.image_id)}.webp" if spec.pixels else "",
            flags=self.known.get(heat, ()),
        )

    def _make(
        self,
        fit: str,
        dataset: str,
        wanted: Sequence[Wanted],
        answers: Sequence[Answer],
        *,
        private: bool,
    ) -> dict[str, tuple[str, ...]]:
        """Write what is missing; image id to artefact flags of what was looked at."""
        missing = [
            (item, answer)
            for item, answer in zip(wanted, answers, strict=True)
            if private or not self._there(answer)
        ]
        if not missing:
            return {}
        from skinbench.learn.artefacts import artefact_flags
        from skinbench.learn.explain import explain_cases, save_heatmap

        spec, digest = self.prepared.plan.fits[fit], self.prepared.manifests[dataset].digest
        ids = [item.image_id for item, _ in missing]
        wrong = [] if private else [n for n, (_, a) in enumerate(missing) if a.heat_of_label]
        heat = explain_cases(
            fit,
            [*ids, *(ids[place] for place in wrong)],
            digest,
            self.store,
            weights=self.prepared.planned.weights,
            method=self.method,
            classes=[
                *(answer.decided for _, answer in missing),
                *(missing[place][0].label for place in wrong),
            ],
        )
        seen = open_pixels(self.store, seen_digest(spec.pixels, digest, spec.train.image_size))
        images = seen.images[seen.rows(ids)]
        flags = dict(zip(ids, artefact_flags(heat[: len(ids)], images), strict=True))
        if private:
            return flags
        place = self.folder.heatmaps
        for one, image, (_, answer) in zip(heat, images, missing, strict=False):
            save_heatmap(place / answer.heat, place / answer.overlay, one, image)
            if answer.seen:
                path = self.folder.thumbnails / answer.seen
                save_picture(path, Image.fromarray(image), THUMBNAIL)
        for one, index in zip(heat[len(ids) :], wrong, strict=True):
            answer = missing[index][1]
            names = place / answer.heat_of_label, place / answer.overlay_of_label
            save_heatmap(*names, one, images[index])
        return flags

    def _there(self, answer: Answer) -> bool:
        """Whether all pictures of an answer exist, and their flags are known."""
        heat = (answer.heat, answer.overlay, answer.heat_of_label, answer.overlay_of_label)
        paths = [self.folder.heatmaps / name for name in heat if name]
        paths += [self.folder.thumbnails / answer.seen] if answer.seen else []
        return answer.heat in self.known and all(path.exists() for path in paths)
