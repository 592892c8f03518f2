"""Parts of a fit's spec that a row's settings decide alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from skinbench import registry
from skinbench.plan.made import entry_version
from skinbench.records import (
    FIT_STAGES,
    STAGE_VERSIONS,
    FitSpec,
    HeadSpec,
    NamedSpec,
    TrainSpec,
)
from skinbench.suite import RowSettings
from skinbench.suite.rows import plain
from skinbench.suite.settings import Choice, HeadChoice


def respec(base: FitSpec, settings: RowSettings) -> FitSpec:
    """The same fit trained with other settings: of technique, augmentation and optimiser."""
    augment = augments(settings.augment)
    entries = [
        *(("techniques", item.name) for item in settings.technique.all),
        *(("augments", item.name) for item in augment),
    ]
    replaced = ("techniques/", "augments/", "kornia", "features")
    kept = {k: v for k, v in base.versions.items() if not k.startswith(replaced)}
    uses_image = registry.inputs.get(settings.input.name).uses_image
    stored = base.model.frozen and uses_image and fixed_views(settings, augment)
    return dataclasses.replace(
        base,
        technique=named("techniques", settings.technique.name, settings.technique.options),
        also=tuple(named("techniques", i.name, i.options) for i in settings.technique.with_),
        train=train_spec(settings, augment, base.train.seed),
        stored_features=stored,
        versions={**kept, **versions(entries, packages=(), stored=stored)},
    )


def listed(value: object) -> list[object]:
    """A list of one for a single value."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def named(kind: str, name: str, options: Mapping[str, object]) -> NamedSpec:
    """Catalog entry and options, those that nothing says written out."""
    entry: Any = registry.KINDS[kind].get(name)
    return NamedSpec(name=name, options={**entry.options, **options})


def fixed_views(settings: RowSettings, augment: Sequence[NamedSpec]) -> bool:
    """Whether a network sees no more than a fixed number of views of each image."""
    if any(registry.techniques.get(item.name).mix for item in settings.technique.all):
        return False
    entries = [registry.augments.get(item.name) for item in augment]
    views = [entry for entry in entries if entry.views is not None]
    return len(views) <= 1 and all(entry.views or entry.everywhere for entry in entries)


def augments(choices: Sequence[Choice]) -> tuple[NamedSpec, ...]:
    """Presets are written out, so that a change of a preset is a change of the spec."""
    found: list[NamedSpec] = []
    for choice in choices:
        name, options = choice.name, choice.options
        entry = registry.augments.get(name)
        if entry.build is not None:
            found.append(named("augments", name, options))
        found += [named("augments", item, settings) for item, settings in entry.preset]
    return tuple(found)


def train_spec(settings: RowSettings, augment: tuple[NamedSpec, ...], seed: int) -> TrainSpec:
    """How a row is trained: what the suite leaves to the machine is decided here."""
    values = plain(settings)
    gpu = values["resources"]["gpu"] > 0
    precision = values["precision"]
    if precision == "auto":
        precision = "bfloat16" if gpu else "float32"
    return TrainSpec(
        image_size=values["image_size"],
        epochs=values["epochs"],
        batch_size=values["batch_size"],
        optimizer=_optimizer(values["optimizer"]),
        early_stopping=values["early_stopping"],
        reduce_on_plateau=values["reduce_on_plateau"],
        schedule=_schedule(values["schedule"]),
        augment=augment,
        seed=seed,
        threads=values["resources"]["cpu"],
        device="cuda" if gpu else "cpu",
        precision=precision,
        allow_split_batch_norm=values["allow_split_batch_norm"],
    )


def _schedule(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in values.items() if key != "label"} if values else None


def head_spec(chosen: HeadChoice | None) -> HeadSpec | None:
    """The layers in front of the last one, None where there are none."""
    if chosen is None:
        return None
    return HeadSpec(dense=tuple(chosen.dense), dropout=chosen.dropout)


def _optimizer(values: Mapping[str, Any]) -> NamedSpec:
    options = {"lr": values["lr"], "weight_decay": values["weight_decay"]}
    if values["layer_decay"] is not None:
        options["layer_decay"] = values["layer_decay"]
    if values["name"] == "sgd":
        options["momentum"] = 0.9 if values["momentum"] is None else values["momentum"]
    return NamedSpec(name=values["name"], options=options)


def _uses_kornia(name: str) -> bool:
    entry = registry.augments.get(name)
    return entry.views is None and not entry.everywhere


def versions(
    entries: Sequence[tuple[str, str]], *, packages: Sequence[str], stored: bool = False
) -> dict[str, str]:
    """Versions of all that a fit goes through, those of packages to the minor number."""
    stages = [*FIT_STAGES, *(["features"] if stored else [])]
    found = {stage: str(STAGE_VERSIONS[stage]) for stage in stages}
    found.update(entry_version(kind, name) for kind, name in entries)
    packages = list(packages)
    if any(kind == "augments" and _uses_kornia(name) for kind, name in entries):
        packages.append("kornia")
    for package in packages:
        try:
            found[package] = ".".join(metadata.version(package).split(".")[:2])
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
