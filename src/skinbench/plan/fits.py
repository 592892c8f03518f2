"""From a suite row to the specs of its fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from skinbench import registry
from skinbench.data.lesion_masks import Digests, MaskDigests
from skinbench.plan.elsewhere import own_space, packages_of, stored_size, suffixes
from skinbench.plan.made import made_pixels
from skinbench.plan.specs import (
    augments,
    fixed_views,
    head_spec,
    named,
    train_spec,
    versions,
)
from skinbench.records import (
    FitSpec,
    Manifest,
    ModelSpec,
    NamedSpec,
    SplitTable,
    TrainedSpec,
    WeightsSpec,
)
from skinbench.store import content_digest
from skinbench.suite import Suite, SuiteRow, segments
from skinbench.suite.searched import searched_settings
from skinbench.suite.settings import ModelChoice, Trained

PLAIN_MODELS = ("majority", "metadata_only", "nearest_neighbour")
"""Baselines without a network, beside every split of every suite."""


def fit_id(spec: FitSpec) -> str:
    """The content hash that names a fit, 32 hex digits."""
    return content_digest(spec)


class FitMaker:
    """Makes each fit of a suite once, and notes every weights file that it meets.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`.
        splits: by key under `splits:`.
        digest_of: sha256 of a weights file.
        digests_of: sha256 of many files, remembered under a name; None: one by one.
    """

    def __init__(
        self,
        suite: Suite,
        manifests: Mapping[str, Manifest],
        splits: Mapping[str, SplitTable],
        digest_of: Callable[[Path], str],
        digests_of: Digests | None = None,
    ) -> None:
        self.suite, self.manifests, self.splits = suite, manifests, splits
        self.digest_of = digest_of
        self._masks = MaskDigests(digests_of or (lambda paths, _: [digest_of(p) for p in paths]))
        self.fits: dict[str, FitSpec] = {}
        self.weights: dict[str, Path] = {}
        self.rows = {row.name: row for row in suite.rows}
        self.chosen: dict[tuple[str, int], Mapping[str, object]] = {}
        """(row, fold) to the values that a search of its settings chose."""
        self._ids: dict[tuple[str, int, int], str] = {}
        self._open: list[str] = []

    def train_manifest(self, split: str) -> Manifest:
        """The dataset that a split trains on."""
        file = self.suite.file.splits[split]
        return self.manifests[str(file.train or file.data)]

    def fit(self, row: str, fold: int, seed: int) -> str:
        """Id of a row's fit at one fold and seed.

        Raises:
            SuiteError: a weights file is missing, or rows need each other in a circle.
        """
        key = (row, fold, seed)
        if key not in self._ids:
            if row in self._open:
                circle = " -> ".join([*self._open, row])
                document = self.suite.document
                made = self.rows[row].settings.pixels is not None
                where = ("pixels", "row") if made else ("model", "weights", "row")
                place = self.rows[row].place(document, *where)
                raise document.error(f"rows need each other in a circle: {circle}", place)
            self._open.append(row)
            spec = self._spec(row, fold, seed)
            self._open.pop()
            self._ids[key] = fit_id(spec)
            self.fits[self._ids[key]] = spec
        return self._ids[key]

    def base_spec(self, row: str, fold: int, seed: int) -> FitSpec:
        """The fit of a row as it states its settings, whatever a search chose."""
        return self._network_spec(self.rows[row], fold, seed)

    def _spec(self, row: str, fold: int, seed: int) -> FitSpec:
        if row in self.rows:
            stated, values = self.rows[row], self.chosen.get((row, fold))
            chosen = stated.settings.model
            if chosen is not None and chosen.trained is not None:
                return self._trained_spec(stated, chosen, chosen.trained)
            if values:
                settings = searched_settings(stated.settings, values)
                stated = dataclasses.replace(stated, settings=settings)
            return self._network_spec(stated, fold, seed)
        _, split, model = row.split("/", 2)
        beside = [r for r in self.suite.rows if r.settings.split == split and not segments(r)]
        settings = beside[0].settings
        choices = {"model": {"name": model}, "seeds": [0], "epochs": 1, "split": split}
        bare = type(settings).model_validate({**choices, "image_size": settings.image_size})
        return self._network_spec(
            SuiteRow(name=row, settings=bare, claims=(), key=("baselines",)), fold, seed
        )

    def _trained_spec(self, row: SuiteRow, model: ModelChoice, trained: Trained) -> FitSpec:
        """A model trained elsewhere: the same fit on every dataset, split, fold and seed."""
        if row.settings.pixels is not None:
            message = (
                f"'{model.name}' was trained elsewhere, on the images themselves: leave it out"
            )
            raise self.suite.document.error(message, row.place(self.suite.document, "pixels"))
        kept = {"resources": row.settings.resources, "precision": row.settings.precision}
        train = dataclasses.replace(
            train_spec(type(row.settings).model_validate(kept), (), 0),
            image_size=stored_size(trained),
            epochs=0,
            batch_size=1,
            optimizer=NamedSpec(name="none"),
            early_stopping=None,
        )
        entry = registry.models.get(model.name)
        entries = [("models", model.name)]
        if trained.crop is not None and entry.kind == "network":
            entries.append(("augments", "center_crop"))
        weights = WeightsSpec(
            kind="file", digest=self._trained_digest(row), mean=trained.mean, std=trained.std
        )
        return FitSpec(
            datasets={},
            split="",
            fold=0,
            classes=own_space(trained).classes,
            model=ModelSpec(
                name=model.name,
                options={**entry.options, **model.options},
                weights=weights,
                trained=TrainedSpec(
                    outputs=trained.outputs, seen=None if trained.crop is None else trained.size
                ),
            ),
            input=NamedSpec(name="image"),
            technique=NamedSpec(name="none"),
            train=train,
            versions=versions(entries, packages=packages_of(entry)),
            output=row.settings.output,
        )

    def _trained_digest(self, row: SuiteRow) -> str:
        """sha256 of a row's `trained.file`, which is noted."""
        model, document = row.settings.model, self.suite.document
        assert model is not None
        assert model.trained is not None
        key = row.place(document, "model", "trained", "file")
        path = self.suite.expand_path(model.trained.file, key)
        if not path.is_file():
            raise document.error(f"no file at {path}", key)
        wanted = suffixes(registry.models.get(model.name))
        if path.suffix not in wanted:
            message = f"{path.name}: a file of '{model.name}' ends in {', '.join(wanted)}"
            raise document.error(message, key)
        digest = self.digest_of(path)
        self.weights[digest] = path
        return digest

    def _network_spec(self, row: SuiteRow, fold: int, seed: int) -> FitSpec:
        settings, split = row.settings, self.splits[str(row.settings.split)]
        assert settings.model is not None
        used = sorted(set(split.table["dataset"].unique()))
        augment = augments(settings.augment)
        uses_image = registry.inputs.get(settings.input.name).uses_image
        made = made_pixels(self, row, fold, seed)
        stored = settings.model.frozen and uses_image and fixed_views(settings, augment)
        network = registry.models.get(settings.model.name).kind == "network"
        entries = [
            ("models", settings.model.name),
            ("inputs", settings.input.name),
            *(("techniques", item.name) for item in settings.technique.all),
            *(("augments", item.name) for item in augment),
        ]
        return FitSpec(
            datasets={name: self.manifests[name].digest for name in used},
            split=split.digest,
            fold=fold,
            classes=self.train_manifest(str(settings.split)).label_space.classes,
            model=self._model(row, fold, seed),
            input=named("inputs", settings.input.name, settings.input.options),
            technique=named("techniques", settings.technique.name, settings.technique.options),
            train=train_spec(settings, augment, seed),
            also=tuple(named("techniques", i.name, i.options) for i in settings.technique.with_),
            stored_features=stored,
            pixels=made,
            masks=self._masks.of(self.manifests[name] for name in used) if segments(row) else None,
            versions=versions(
                entries,
                packages=packages_of(registry.models.get(settings.model.name)),
                stored=stored,
            ),
            output=settings.output if network else "softmax",
        )

    def _model(self, row: SuiteRow, fold: int, seed: int) -> ModelSpec:
        model = row.settings.model
        assert model is not None
        entry = registry.models.get(model.name)
        weights = WeightsSpec(kind="random")
        if model.pretrained:
            weights = WeightsSpec(kind="hub", digest=model.name)
        elif model.weights is not None and model.weights.row is not None:
            self._check_start(row, model.weights.row, fold)
            weights = WeightsSpec(kind="fit", digest=self.fit(model.weights.row, fold, seed))
        elif model.weights is not None:
            key = row.place(self.suite.document, "model", "weights", "file")
            path = self.suite.expand_path(str(model.weights.file), key)
            digest = self._weights_digest(path, key)
            weights = WeightsSpec(
                kind="file", digest=digest, mean=model.weights.mean, std=model.weights.std
            )
        return ModelSpec(
            name=model.name,
            options={**entry.options, **model.options},
            weights=weights,
            frozen=model.frozen,
            train_last=model.train_last,
            head=head_spec(model.head),
        )

    def _check_start(self, row: SuiteRow, start: str, fold: int) -> None:
        """A warm start is the same network, and has not seen what the row is judged on."""
        ours, theirs = row.settings, self.rows[start].settings
        assert ours.model is not None
        assert theirs.model is not None
        if theirs.model.trained is not None:
            problem = "was trained elsewhere; start from its file by `weights: {file: ...}`"
        elif theirs.model.name != ours.model.name:
            problem = f"is a {theirs.model.name}, not a {ours.model.name}"
        else:
            problem = self.seen_by(row, start, fold, ("test",))
        if problem:
            key = row.place(self.suite.document, "model", "weights", "row")
            raise self.suite.document.error(f"'{start}' {problem}", key)

    def seen_by(self, row: SuiteRow, other: str, fold: int, parts: tuple[str, ...]) -> str:
        """What another row's fit of a fold has seen of this row's own parts; "" for nothing."""
        ours, theirs = str(row.settings.split), str(self.rows[other].settings.split)
        if ours == theirs:
            return ""
        seen = self._images(theirs, fold, ("train", "val"))
        if not seen:
            return f"has no fold {fold}: its split '{theirs}' differs"
        if seen & self._images(ours, fold, parts):
            return f"has seen {' or '.join(parts)} images (or their lesions) of split '{ours}'"
        return ""

    def _images(self, split: str, fold: int, parts: tuple[str, ...]) -> set[str]:
        """Image ids and lesion ids of some parts of a fold."""
        table = self.splits[split].table
        part = table[(table["fold"] == fold) & table["split"].isin(parts)]
        found = set(part["image_id"])
        for name, group in part.groupby("dataset"):
            known = self.manifests[str(name)].table
            lesions = known.loc[known["image_id"].isin(group["image_id"]), "lesion_id"]
            found.update(f"lesion:{lesion}" for lesion in lesions.dropna())
        return found

    def _weights_digest(self, path: Path, key: tuple[str | int, ...]) -> str:
        if not path.is_file():
            raise self.suite.document.error(f"no weights file at {path}", key)
        if path.suffix != ".safetensors":
            message = f"{path.name} is not a .safetensors file; nothing else is loaded"
            raise self.suite.document.error(message, key)
        digest = self.digest_of(path)
        self.weights[digest] = path
        return digest
