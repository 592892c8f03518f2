"""Names to implementations: one file in a catalog folder is one entry.

A name is the file's name. Modules are imported only when their entry is asked for, so listing
names costs no import. A user's own file joins through `load_plugin` (or SKINBENCH_PLUGINS, a
path list that workers inherit) and declares its kind in a top-level `KIND = "models"`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar, cast

from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import (
    AugmentEntry,
    ConditionEntry,
    DatasetEntry,
    DerivedEntry,
    ExplainerEntry,
    InputEntry,
    MetricEntry,
    ModelEntry,
    PixelsEntry,
    TechniqueEntry,
)

T = TypeVar("T")
_CATALOG = "skinbench.catalog"


def suggest(name: str, known: Iterable[str], *, limit: int = 8) -> str:
    """Sentence part that names the nearest known name, or lists what there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6) or _partly(name, names)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
    return f"known: {shown}" if names else "none are known"


def _partly(name: str, names: list[str]) -> list[str]:
    """Up to three names of several parts, such as a row's, that have one like this."""
    if len(name) < 3:
        return []
    asked = name.lower()
    within = [item for item in names if asked in item.lower() and item != name]
    parts = {part: item for item in reversed(names) for part in re.split(r"[/@]", item)}
    close = difflib.get_close_matches(name, parts, n=1, cutoff=0.7)
    return (within or [parts[part] for part in close])[:3]


class Registry(Generic[T]):
    """Entries of one kind, found by file name in `skinbench.catalog.<kind>`.

    Args:
        kind: plural name of the catalog folder, e.g. `models`.
        entry_type: record that each file's ENTRY is.
        family: an entry of the folder whose module answers for names that are no file, by
            `resolve(name) -> entry or None` (`models/timm.py`: any timm model).
    """

    def __init__(self, kind: str, entry_type: type[T], *, family: str | None = None) -> None:
        self.kind, self.entry_type, self._family = kind, entry_type, family
        self._plugins: dict[str, Path] = {}
        self._loaded: dict[str, T] = {}

    @property
    def noun(self) -> str:
        """One of the kind, in words, e.g. `technique`."""
        words = {"derived": "kind of derived row", "pixels": "kind of pixels"}
        return words.get(self.kind, self.kind.removesuffix("s"))

    def names(self) -> list[str]:
        """All names, sorted, without importing any of their modules."""
        return sorted({*self._built_in(), *self._plugins})

    def describe(self, name: str) -> str:
        """First line of the entry's module docstring, read without importing it."""
        docstring = ast.get_docstring(ast.parse(self._source(name).read_text("utf-8"))) or ""
        return docstring.partition("\n")[0]

    def source_digest(self, name: str) -> str | None:
        """sha256 of a plug-in's source; None for built-in entries, which carry a VERSION."""
        path = self._plugins.get(name)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else None

    def add_plugin(self, path: Path) -> None:
        """Add a user's file; its stem is the name.

        Raises:
            UsageError: the name is taken by another file.
        """
        name, known = path.stem, self._plugins.get(path.stem)
        if name in self._built_in() or (known is not None and known != path):
            raise UsageError(f"{path}: {self.noun} '{name}' exists already; rename the file")
        self._plugins[name] = path

    def get(self, name: str) -> T:
        """The entry called `name`.

        Raises:
            UnknownNameError: nothing has this name; the message suggests the nearest.
        """
        if name not in self._loaded:
            if name in self._plugins or name in self._built_in():
                self._loaded[name] = self._entry(name)
            else:
                self._loaded[name] = self._resolve_family(name)
        return self._loaded[name]

    def _entry(self, name: str) -> T:
        entry = self._import(name).ENTRY  # type: ignore[attr-defined]
        if not isinstance(entry, self.entry_type):
            wanted = f"skinbench.records.{self.entry_type.__name__}"
            raise UsageError(
                f"{self._source(name)}: ENTRY is a {type(entry).__name__}, expected {wanted}"
            )
        return entry

    def _resolve_family(self, name: str) -> T:
        entry = self._import(self._family).resolve(name) if self._family else None  # type: ignore[attr-defined]
        if entry is None:
            hint = suggest(name, self.names())
            raise UnknownNameError(f"unknown {self.noun} '{name}'; {hint}")
        return cast(T, entry)

    def _built_in(self) -> list[str]:
        package = importlib.import_module(f"{_CATALOG}.{self.kind}")
        return [
            module.name
            for module in pkgutil.iter_modules(package.__path__)
            if not module.name.startswith("_")
        ]

    def _source(self, name: str) -> Path:
        if name in self._plugins:
            return self._plugins[name]
        package = importlib.import_module(f"{_CATALOG}.{self.kind}")
        return Path(package.__path__[0]) / f"{name}.py"

    def _import(self, name: str) -> object:
        path = self._plugins.get(name)
        if path is None:
            return importlib.import_module(f"{_CATALOG}.{self.kind}.{name}")
        spec = importlib.util.spec_from_file_location(f"skinbench_plugin_{self.kind}_{name}", path)
        if spec is None or spec.loader is None:
            raise UsageError(f"{path}: cannot be imported as a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[spec.name]
            raise UsageError(f"{path}: fails on import: {type(error).__name__}: {error}") from error
        if not hasattr(module, "ENTRY"):
            raise UsageError(
                f"{path}: has no top-level ENTRY; see the README on adding {self.kind}"
            )
        return module


datasets: Registry[DatasetEntry] = Registry("datasets", DatasetEntry)
models: Registry[ModelEntry] = Registry("models", ModelEntry, family="timm")
inputs: Registry[InputEntry] = Registry("inputs", InputEntry)
techniques: Registry[TechniqueEntry] = Registry("techniques", TechniqueEntry)
augments: Registry[AugmentEntry] = Registry("augments", AugmentEntry)
metrics: Registry[MetricEntry] = Registry("metrics", MetricEntry)
explainers: Registry[ExplainerEntry] = Registry("explainers", ExplainerEntry)
conditions: Registry[ConditionEntry] = Registry("conditions", ConditionEntry)
pixels: Registry[PixelsEntry] = Registry("pixels", PixelsEntry)
derived: Registry[DerivedEntry] = Registry("derived", DerivedEntry)

KINDS: dict[str, Registry[object]] = {
    registry.kind: cast("Registry[object]", registry)
    for registry in (
        datasets,
        models,
        inputs,
        techniques,
        augments,
        metrics,
        explainers,
        conditions,
        pixels,
        derived,
    )
}

PLUGINS_VARIABLE = "SKINBENCH_PLUGINS"


def load_plugin(path: Path) -> None:
    """Register a user's file under the kind that it declares, without running it.

    Raises:
        UsageError: the file is absent, is not Python, or has no known `KIND`.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such plug-in file")
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (SyntaxError, ValueError) as error:  # not UTF-8 and null bytes are ValueErrors
        raise UsageError(f"{path}: is not valid Python: {error}") from error
    kind = next((value for node in tree.body for value in _kinds(node)), None)
    if kind not in KINDS:
        raise UsageError(f"{path}: needs a top-level KIND, one of {', '.join(sorted(KINDS))}")
    KINDS[str(kind)].add_plugin(path.resolve())


def _kinds(node: ast.stmt) -> list[object]:
    """The constant that a statement gives to KIND, if it does."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    named = [target for target in targets if isinstance(target, ast.Name) and target.id == "KIND"]
    value = getattr(node, "value", None)
    return [value.value] if named and isinstance(value, ast.Constant) else []


def load_plugins_from_environment() -> None:
    """Register every file named in SKINBENCH_PLUGINS (workers inherit the variable)."""
    for item in filter(None, os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep)):
        load_plugin(Path(item))
