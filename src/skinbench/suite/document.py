"""YAML as plain values that remember their lines.

YAML 1.2's core words only: `on`, `no` and dates stay text, `1e-3` is a number; infinity and NaN
stay text too, since no setting takes them. Size, depth and aliases are limited, because suites
come from strangers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from skinbench.errors import SuiteError

Key = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 50_000


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's implicit types, which are added below, and an end."""

    composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Stop at the limit already while reading, which takes long for a huge file."""
        self.composed += 1
        if self.composed > MAX_NODES:
            raise ValueError("too many nodes")
        return super().compose_node(parent, index)


_IMPLICIT = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"null|Null|NULL|~|", "nN~\0"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _IMPLICIT:
    for _character in [*_first.replace("\0", ""), *([""] if "\0" in _first else [])]:
        _Loader.yaml_implicit_resolvers.setdefault(_character, []).append(
            (_tag, re.compile(f"^(?:{_pattern})$"))
        )
_FLOAT = "tag:yaml.org,2002:float"
_SCALAR_TAGS = {"tag:yaml.org,2002:str", *(tag for tag, _, _ in _IMPLICIT)}
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(str(node.value)))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(str(node.value)))


@dataclass(frozen=True, kw_only=True)
class Document:
    """Values of a YAML file and where each stands."""

    values: dict[str, Any]
    lines: Mapping[Key, int] = field(default_factory=dict)
    """Path of a key to its 1-based line."""
    path: Path | None = None

    def line(self, key: Key) -> int | None:
        """Line of a key, or of the nearest parent that has one."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key)

    def error(self, message: str, key: Key) -> SuiteError:
        """A SuiteError that points at a key."""
        dotted = ".".join(str(part) for part in key)
        return SuiteError(message, path=self.path, line=self.line(key), key=dotted)


def read_document(path: Path) -> Document:
    """Read a YAML mapping with its lines.

    Raises:
        SuiteError: no such file, not UTF-8, not YAML, a duplicate key, or over the limits.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SuiteError(f"larger than {MAX_BYTES:,} bytes", path=path)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror or error}", path=path) from error
    except UnicodeDecodeError as error:
        raise SuiteError("is not UTF-8 text", path=path) from error
    return parse_document(text, path)


def parse_document(text: str, path: Path | None = None) -> Document:
    """Parse YAML text; see `read_document`."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", "cannot be parsed")
        line = mark.line + 1 if mark else None
        raise SuiteError(f"is not valid YAML: {problem}", path=path, line=line) from error
    except (RecursionError, ValueError) as error:
        raise SuiteError("is too large or nested too deeply", path=path) from error
    if not isinstance(node, yaml.MappingNode):
        raise SuiteError("needs a mapping at the top, e.g. `name: my_suite`", path=path)
    reader = _Reader(loader, path)
    values = reader.read(node, ())
    return Document(values=values, lines=reader.lines, path=path)


def _is_published(key: Key) -> bool:
    """Whether a value stands in a list of claims: those keep their digits, 0.80 is not 0.8."""
    return any(a == "claims" and isinstance(b, int) for a, b in itertools.pairwise(key))


class _Reader:
    """Turns a node tree into values, counting nodes (aliases count each time)."""

    def __init__(self, loader: _Loader, path: Path | None) -> None:
        self.loader, self.path = loader, path
        self.lines: dict[Key, int] = {}
        self._count = 0

    def read(self, node: yaml.Node, key: Key) -> Any:
        self._count += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(key, line)
        if self._count > MAX_NODES or len(key) > MAX_DEPTH:
            raise self._error("is too large or nested too deeply", node, key[:4])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*key, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _scalar(self, node: yaml.Node, key: Key) -> Any:
        try:
            if node.tag not in _SCALAR_TAGS:
                raise self._error(f"tag '{node.tag}' is not for suites", node, key)
            if node.tag == _FLOAT and _is_published(key):
                return str(node.value)
            return self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, KeyError) as error:
            raise self._error(f"cannot be read as {node.tag}", node, key) from error

    def _error(self, message: str, node: yaml.Node, key: Key) -> SuiteError:
        dotted = ".".join(str(part) for part in key)
        return SuiteError(message, path=self.path, line=node.start_mark.line + 1, key=dotted)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            name = name_node.value
            if not isinstance(name_node, yaml.ScalarNode):
                raise self._error("a key must be plain text", name_node, key)
            if name in values:
                first = self.lines[(*key, name)]
                message = f"stands twice, first in line {first}"
                raise self._error(message, name_node, (*key, name))
            self.lines[(*key, name)] = line
            values[name] = self.read(value_node, (*key, name))
        return values
