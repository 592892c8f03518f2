"""From a suite's path or name to a checked suite: profiles, overrides, names, references."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from skinbench import registry
from skinbench.errors import SuiteError, UsageError, one_line
from skinbench.store import Progress, brought, is_url, joined
from skinbench.suite.document import Document, Key, parse_document, read_document
from skinbench.suite.reduced import reductions
from skinbench.suite.references import check_catalog, check_references
from skinbench.suite.rows import (
    ExcludedRow,
    SuiteRow,
    classifiers,
    derived_members,
    expand_rows,
    matching,
    merge,
    plain,
)
from skinbench.suite.schema import SuiteFile
from skinbench.suite.validation import validate

NO_PLUGINS = "SKINBENCH_NO_PLUGINS"
"""Where this is set, a suite that names plug-ins is refused."""
_SECRET = re.compile(
    r"(?i)secret|token|passw|credential|salt|private|(^|_)(api|access)?_?key(_id)?$|cookie"
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite file, checked, with its rows expanded."""

    file: SuiteFile
    rows: tuple[SuiteRow, ...]
    excluded: tuple[ExcludedRow, ...]
    document: Document
    reduced: Mapping[str, str] = field(default_factory=dict)
    """Row to what a profile or an override made smaller than the file says."""

    @property
    def name(self) -> str:
        """The suite's name; also its folder under reports/."""
        return self.file.name

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file start from."""
        return self.document.path.parent if self.document.path else Path.cwd()

    def expand_path(self, text: str, key: Key, progress: Progress | None = None) -> Path:
        """A path of the file with its ${VARIABLES} replaced.

        Where a variable is a URL, what is there is fetched, and the path is that of the copy.

        Args:
            text: as in the file.
            key: of the file, for messages.
            progress: called as files are fetched.

        Raises:
            SuiteError: a variable is not set, or is a secret; the file itself names a URL.
        """

        def value(match: re.Match[str]) -> str:
            name, default = match[1], match[2]
            if _SECRET.search(name):  # it would stand in messages and in the run folder
                message = f"the variable {name} is a secret by its name; a path is none"
                raise self.document.error(message, key)
            found = os.environ.get(name) or default
            if not found:
                message = f"the environment variable {name} is not set{_purpose(name)}"
                raise self.document.error(message, key)
            return found

        filled = _VARIABLE.sub(value, text)
        if is_url(filled):
            url = _own_url(text, filled)
            if url is None:
                message = "a suite names no URL itself; set a variable, e.g. SKINBENCH_DATA, to it"
                raise self.document.error(f"{message}, and write ${{SKINBENCH_DATA}}/NAME", key)
            return brought(url, progress)
        path = Path(filled).expanduser()
        return path if path.is_absolute() else (self.folder / path).resolve()


def _own_url(text: str, filled: str) -> str | None:
    """The URL of something below one that a variable holds; None where the suite adds to it.

    A stranger's suite cannot send requests with the user's keys to a place of its own.
    """
    variable = _VARIABLE.match(text)
    named = os.environ.get(variable[1], "") if variable else ""
    rest = filled.removeprefix(named)
    if not is_url(named) or not rest.startswith("/") or "?" in rest or "#" in rest:
        return None
    return joined(named, rest.strip("/"))


def _purpose(name: str) -> str:
    purposes = {
        "SKINBENCH_DATA": "; it names the folder with one sub-folder per dataset",
        "SKINBENCH_WEIGHTS": "; it names the folder with your weights files",
    }
    return purposes.get(name, "")


def shipped_suites() -> dict[str, Path]:
    """Suites that come with skinbench, by name."""
    for folder in (
        Path(str(resources.files("skinbench"))) / "suites",
        Path(__file__).parents[3] / "suites",
    ):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def resolve_name(suite: str) -> Path:
    """A path as given, or the path of a shipped suite of that name (`suites/x.yaml` too).

    Raises:
        UsageError: neither a file nor a shipped suite.
    """
    path = Path(suite)
    with contextlib.suppress(OSError, ValueError):  # no file has such a name
        if path.is_file():
            return path
    shipped = shipped_suites()
    stem = path.stem if path.parent.name in ("", "suites") else suite
    if stem in shipped:
        return shipped[stem]
    raise UsageError(f"{one_line(suite)}: no such suite file; {registry.suggest(stem, shipped)}")


def load_suite(
    suite: str | Path,
    *,
    sets: Sequence[str] = (),
    profile: str | Sequence[str] | None = None,
    only: Sequence[str] = (),
) -> Suite:
    """Load, override and check a suite.

    Args:
        suite: a path, or the name of a suite that comes with skinbench.
        sets: `a.b=value` overrides, after the profile; values are YAML.
        profile: a name under `profiles:` whose settings are merged over the file, or several,
            each over the one before.
        only: row patterns to keep; what kept derived rows and warm starts need stays too.

    Raises:
        SuiteError: with file, line, key, and the nearest allowed name.
    """
    document = original = read_document(resolve_name(str(suite)))
    for name in [profile] if isinstance(profile, str) else profile or ():
        document = _with_profile(document, name)
    for item in sets:
        document = _with_set(document, item)
    file = validate(SuiteFile, document.values, document)
    _load_plugins(file, document)
    rows, excluded = expand_rows(file, document)
    check_references(file, rows, document)
    check_catalog(file, rows, document)
    changed = original if document is not original else None
    reduced = reductions(file, rows, changed)
    loaded = Suite(file=file, rows=rows, excluded=excluded, document=document, reduced=reduced)
    return _only(loaded, only) if only else loaded


def stated_suite(path: Path) -> SuiteFile:
    """What a suite file says, without its catalog and data: for judging a run anywhere."""
    document = read_document(path)
    return validate(SuiteFile, document.values, document)


def suite_to_yaml(suite: Suite) -> str:
    """The suite with every default written out and grids expanded, as YAML.

    It loads to the same rows from any folder: relative paths become absolute.
    """
    values = plain(suite.file)
    values["rows"] = {
        row.name: {
            **plain(row.settings),
            "claims": [plain(claim) for claim in row.claims],
            "protocol": None if row.protocol is None else plain(row.protocol),
            "differences": list(row.stated),
        }
        for row in suite.rows
    }
    values["grids"] = {}
    values["profiles"] = {}
    values["plugins"] = [_absolute(suite, item) for item in suite.file.plugins]
    for settings, key in _paths(values):
        if settings[key] is not None:
            settings[key] = _absolute(suite, settings[key])
    header = "# Resolved by skinbench: every default written out, grids expanded.\n"
    return header + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _paths(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each setting that is a path, as (mapping, key)."""
    yield from ((source, "root") for source in values["data"].values())
    yield from ((split, "file") for split in values["splits"].values())
    for settings in (values["defaults"], *values["rows"].values()):
        model = settings["model"] or {}
        for key in ("weights", "trained"):
            if model.get(key) is not None:
                yield model[key], "file"


def _absolute(suite: Suite, text: str) -> str:
    """A path as it is found from any folder; one that begins with a variable stays."""
    if text.startswith(("${", "~")) or Path(text).is_absolute():
        return text
    return os.path.normpath(suite.folder.resolve() / text)


# --- overrides ---------------------------------------------------------------------------


def _with_profile(document: Document, profile: str) -> Document:
    profiles = document.values.get("profiles") or {}
    if not isinstance(profiles, dict) or profile not in profiles:
        hint = registry.suggest(profile, profiles if isinstance(profiles, dict) else ())
        raise document.error(f"no profile '{profile}'; {hint}", ("profiles",))
    if not isinstance(profiles[profile], dict):
        raise document.error("needs settings to merge in", ("profiles", profile))
    prefix: Key = ("profiles", profile)
    moved = {
        key[len(prefix) :]: line
        for key, line in document.lines.items()
        if key[: len(prefix)] == prefix and len(key) > len(prefix)
    }
    values = merge(document.values, profiles[profile])
    return Document(values=values, lines={**document.lines, **moved}, path=document.path)


def _with_set(document: Document, item: str) -> Document:
    name, equals, text = item.partition("=")
    shown = one_line(item)
    if not equals or not name.strip():
        raise UsageError(f"--set {shown}: expected KEY=VALUE, e.g. --set defaults.epochs=3")
    try:
        value = parse_document(f"value: {text}\n").values["value"]
    except SuiteError as error:
        raise UsageError(f"--set {shown}: the value is not YAML: {error.message}") from error
    nested: Any = value
    for part in reversed(_path_of(name.strip(), document.values)):
        nested = {part: nested}
    return Document(values=merge(document.values, nested), lines=document.lines, path=document.path)


def _path_of(dotted: str, values: Any) -> list[str]:
    """Split a dotted key, preferring existing keys that contain dots themselves."""
    if isinstance(values, dict):
        for key in sorted(values, key=len, reverse=True):
            if dotted == key:
                return [key]
            if dotted.startswith(f"{key}."):
                return [key, *_path_of(dotted[len(key) + 1 :], values[key])]
    first, _, rest = dotted.partition(".")
    return [first, *_path_of(rest, None)] if rest else [first]


def _load_plugins(file: SuiteFile, document: Document) -> None:
    folder = document.path.parent if document.path else Path.cwd()
    paths = [str((folder / item).resolve()) for item in file.plugins]
    if paths and os.environ.get(NO_PLUGINS):
        message = f"names programs, which {NO_PLUGINS} forbids to run; read them, then unset it"
        raise document.error(message, ("plugins",))
    for index, path in enumerate(paths):
        try:
            registry.load_plugin(Path(path))
        except UsageError as error:
            raise document.error(str(error), ("plugins", index)) from error
    if paths:
        known = filter(None, os.environ.get(registry.PLUGINS_VARIABLE, "").split(os.pathsep))
        merged = dict.fromkeys([*known, *paths])
        os.environ[registry.PLUGINS_VARIABLE] = os.pathsep.join(merged)


def _only(suite: Suite, patterns: Sequence[str]) -> Suite:
    names = [row.name for row in suite.rows]
    everything = [*names, *suite.file.derived]
    kept: set[str] = set()
    for pattern in patterns:
        found = matching(everything, pattern)
        if not found:
            hint = registry.suggest(pattern, everything)
            raise UsageError(f"--only {one_line(pattern)}: no row matches; {hint}")
        kept.update(found)
    by_name = {row.name: row for row in suite.rows}
    pending = list(kept)
    while pending:
        name = pending.pop()
        for need in _needs(suite, name, by_name):
            if need not in kept:
                kept.add(need)
                pending.append(need)
    derived = {name: item for name, item in suite.file.derived.items() if name in kept}
    evaluate = [e for e in suite.file.evaluate if matching(kept, e.rows)]
    return Suite(
        file=suite.file.model_copy(update={"derived": derived, "evaluate": evaluate}),
        rows=tuple(row for row in suite.rows if row.name in kept),
        excluded=suite.excluded,
        document=suite.document,
        reduced=suite.reduced,
    )


def _needs(suite: Suite, name: str, rows: dict[str, SuiteRow]) -> list[str]:
    if name in suite.file.derived:
        return derived_members(suite.file, classifiers(rows.values()), name)
    settings = rows[name].settings
    needs = [settings.pixels.row] if settings.pixels is not None else []
    weights = settings.model.weights if settings.model else None
    if weights is not None and weights.row is not None:
        needs.append(weights.row)
    return needs
