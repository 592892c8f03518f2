"""Running a bundle: pixels and metadata in, probabilities out, by onnxruntime and NumPy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.bundle.reading import OpenedBundle
from skinbench.data.metadata import MetadataEncoder
from skinbench.data.spaces import SpaceMap, judged_probabilities
from skinbench.errors import CorruptObjectError, MissingExtraError
from skinbench.records import Bundle, BundleNetwork, LabelSpace

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a bundle says of N images."""

    probabilities: Floats
    """[N, C] in the order of the bundle's classes, each row summing to 1."""
    parts: Mapping[str, Floats] = field(default_factory=dict)
    """Probabilities of every network and step, by name."""
    features: Mapping[str, Floats] = field(default_factory=dict)
    """[N, F] of networks that were asked for them."""
    maps: Mapping[str, Floats] = field(default_factory=dict)
    """[N, C, h, w] likewise: what each place adds to the logit of each class."""


class BundleModel:
    """A bundle's networks, loaded.

    Args:
        opened: the checked bundle.
        threads: of each forward pass.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        CorruptObjectError: onnxruntime cannot load a file.
    """

    def __init__(self, opened: OpenedBundle, *, threads: int = 1) -> None:
        self.opened, self.record = opened, opened.record
        start = time.perf_counter()
        self.sessions = {
            item.name: open_session(opened.root / item.file, threads)
            for item in opened.record.networks
        }
        self.load_seconds = time.perf_counter() - start
        self.encoders = {
            item.name: MetadataEncoder.from_plain(item.metadata)
            for item in opened.record.networks
            if item.metadata is not None
        }

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the squares of pixels that it needs of each image."""
        sizes = (item.image_size for item in self.record.networks)
        return tuple(sorted({size for size in sizes if size is not None}))

    @property
    def fields(self) -> tuple[str, ...]:
        """Metadata that it reads, e.g. age, sex, site; empty where it reads none."""
        names = (name for encoder in self.encoders.values() for name in encoder.fields)
        return tuple(dict.fromkeys(name.removesuffix(".missing") for name in names))

    def vocabulary(self, field_: str) -> tuple[str, ...] | None:
        """Words that it knows of a metadata field; None where it takes numbers."""
        found: set[str] = set()
        for encoder in self.encoders.values():
            known = {"sex": encoder.sexes, "site": encoder.sites, **encoder.words}
            found.update(known.get(field_, ()))
        numbers = any(field_ in encoder.numbers for encoder in self.encoders.values())
        return None if field_ == "age" or numbers else tuple(sorted(found))

    def answer(
        self,
        pixels: Mapping[int, Bytes],
        table: pd.DataFrame | None,
        *,
        with_features: bool = False,
        with_maps: bool = False,
    ) -> Answers:
        """Probabilities of N images, as the fit gave them.

        Args:
            pixels: for each of `sizes`, [N, S, S, 3] uint8.
            table: N rows of metadata with the columns of a manifest; needed where `fields` says.
            with_features: of networks that have them.
            with_maps: likewise.
        """
        parts: dict[str, Floats] = {}
        features: dict[str, Floats] = {}
        maps: dict[str, Floats] = {}
        for item in self.record.networks:
            feed = {} if item.image_size is None else {"pixels": pixels[item.image_size]}
            wanted = ["features"] * (with_features and item.features > 0)
            wanted += ["maps"] * (with_maps and item.maps)
            found, more = self._run(item, feed, table, wanted)
            parts[item.name] = _judged(item, found, self.record)
            for name, kept in (("features", features), ("maps", maps)):
                if name in wanted:
                    kept[item.name] = more[name]
        for step in self.record.steps:
            members: list[npt.NDArray[np.floating[Any]]] = [
                parts[name].astype(np.float64) for name in step.of
            ]
            options = {**step.options, "learnt": _arrays(step.learnt)}
            made = registry.derived.get(step.kind).combine(members, options)
            parts[step.name] = np.asarray(made, dtype=np.float32)
        return Answers(
            probabilities=parts[self.record.answer], parts=parts, features=features, maps=maps
        )

    def _run(
        self,
        item: BundleNetwork,
        feed: dict[str, npt.NDArray[Any]],
        table: pd.DataFrame | None,
        wanted: Sequence[str],
    ) -> tuple[Floats, dict[str, Floats]]:
        session = self.sessions[item.name]
        if item.name in self.encoders:
            assert table is not None
            feed["metadata"] = np.ascontiguousarray(self.encoders[item.name].transform(table))
        outputs = ["probabilities", *wanted]
        if not item.views:
            first, *rest = session.run(outputs, feed)
            return first, dict(zip(wanted, rest, strict=True))
        turn = registry.augments.get("dihedral").view
        assert turn is not None
        images, total = feed["pixels"], None
        more: dict[str, Floats] = {}
        for name in item.views:
            seen = images if name == "none" else turn(images, name)
            asked = outputs if name == "none" else outputs[:1]
            first, *rest = session.run(asked, {**feed, "pixels": seen})
            more.update(zip(wanted, rest, strict=False))
            total = first.astype(np.float64) + (0.0 if total is None else total)
        assert total is not None
        missing = [name for name in wanted if name not in more]
        if missing:
            more.update(zip(missing, session.run(missing, feed), strict=True))
        return (total / len(item.views)).astype(np.float32), more


def open_session(path: Any, threads: int) -> Any:
    """An ONNX file loaded to run on the CPU, the same way every time.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        CorruptObjectError: it cannot load the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("running a bundle", "serve") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Memory does not grow with the largest batch seen, and threads do not spin between requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which it does not export
        said = " ".join(str(error).split())[:160]
        raise CorruptObjectError(f"{path}: onnxruntime cannot load it: {said}") from error


def _judged(item: BundleNetwork, probabilities: Floats, record: Bundle) -> Floats:
    """In the classes that the row is judged in."""
    if item.codes is None:
        return probabilities
    mapping = SpaceMap(
        source=LabelSpace(name="learnt", classes=item.classes),
        target=LabelSpace(name=record.label_space, classes=record.classes),
        codes=item.codes,
    )
    return judged_probabilities(probabilities, mapping)


def _arrays(value: Any) -> Any:
    """What val taught, from JSON: lists of numbers are arrays again."""
    if isinstance(value, list):
        if value and all(isinstance(item, int | float) for item in value):
            return np.array(value, dtype=np.float64)
        return [_arrays(item) for item in value]
    return value
