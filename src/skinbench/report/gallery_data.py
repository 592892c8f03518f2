"""The gallery as data for the page's script: cases by set, each picture once, by its digest."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from skinbench.records import Answer, Case, CaseSet
from skinbench.report import numbers
from skinbench.report.field_effects import Moved
from skinbench.store import file_name

EMBEDDED_BYTES = 17_000_000
"""Pictures take at most so much of the page: with all else it stays below 25 MB."""
_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
Size = tuple[int, int]
Keys = dict[tuple[int, str], tuple[str, Size]]
"""(answer, or -1 for the case itself, kind of picture) -> the picture's digest and its size."""


@dataclass(kw_only=True)
class Pictures:
    """Pictures of a run folder, inside the page as long as its limit allows."""

    root: Path
    uris: dict[str, str] = field(default_factory=dict)
    """Digest to `data:` address."""
    _left_out: set[str] = field(default_factory=set)
    _sizes: dict[str, Size] = field(default_factory=dict)
    _bytes: int = 0

    @property
    def left_out(self) -> int:
        """Pictures that the page has no place for."""
        return len(self._left_out)

    def path(self, folder: str, name: str) -> str:
        """A picture that is there; a name that leaves its folder is none."""
        if not name or Path(name).name != name:
            return ""
        path = f"{folder}/{name}"
        return path if (self.root / path).is_file() else ""

    def embed(self, folder: str, name: str) -> tuple[str, Size] | None:
        """Put a picture into the page; None where there is none, or no place for it."""
        path = self.path(folder, name)
        content = (self.root / path).read_bytes() if path else b""
        kind = _kind(content)
        if not kind:
            return None  # nothing that a page should show
        key = hashlib.sha256(content).hexdigest()[:16]
        if key not in self.uris:
            uri = f"data:{kind};base64,{base64.b64encode(content).decode()}"
            if self._bytes + len(uri) > EMBEDDED_BYTES:
                self._left_out.add(key)
                return None
            try:
                with Image.open(io.BytesIO(content)) as picture:
                    self._sizes[key] = picture.size
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                return None
            self._bytes += len(uri)
            self.uris[key] = uri
        return key, self._sizes[key]


def hard_picture(dataset: str, image_id: str) -> str:
    """File name of the small picture of an image that lists of mistakes name."""
    return f"{dataset}+{file_name(image_id)}.small.webp"


def hard_data(wanted: Iterable[tuple[str, str]], pictures: Pictures) -> dict[str, dict[str, str]]:
    """Dataset to image id to its small picture's digest, of those (dataset, id) that have one."""
    found: dict[str, dict[str, str]] = {}
    for dataset, image in wanted:
        if embedded := pictures.embed("thumbnails", hard_picture(dataset, image)):
            found.setdefault(dataset, {})[image] = embedded[0]
    return found


def _kind(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for head, kind in _TYPES.items() if content.startswith(head)), "")


def set_data(
    sets: Sequence[CaseSet],
    pictures: Pictures,
    titles: Mapping[str, Mapping[str, str]],
    moved: Moved,
) -> list[dict[str, Any]]:
    """Sets of cases as JSON values; their pictures go into the page.

    Args:
        sets: as cases.json has them.
        pictures: gets them, originals first, then heat: a page that is full lacks the last.
        titles: dataset to class code to its name.
        moved: what metadata did to single images.
    """
    keys: dict[tuple[int, int], Keys] = {}
    for turn in (_originals, _of_decided, _of_label):
        for place, one in enumerate(sets):
            for index, case in enumerate(one.cases):
                own = keys.setdefault((place, index), {})
                for answer, kind, folder, name in turn(case):
                    if found := pictures.embed(folder, name):
                        own[answer, kind] = found
    return [
        {
            "split": numbers.one_line(one.split),
            "dataset": numbers.one_line(one.dataset),
            "images": one.images,
            "rows": [numbers.one_line(row) for row in one.rows],
            "classes": _classes(one, titles.get(one.dataset, {})),
            "rules": _rules(one),
            "cases": [
                _case(case, one, keys.get((place, index), {}), moved)
                for index, case in enumerate(one.cases)
            ],
        }
        for place, one in enumerate(sets)
    ]


_Named = Iterator[tuple[int, str, str, str]]
"""(answer or -1, kind, folder, file name)."""


def _originals(case: Case) -> _Named:
    yield -1, "picture", "thumbnails", case.thumbnail
    for number, answer in enumerate(case.answers):
        yield number, "seen", "thumbnails", answer.seen


def _of_decided(case: Case) -> _Named:
    for number, answer in enumerate(case.answers):
        # Runs of earlier versions kept overlays alone.
        kind, name = ("heat", answer.heat) if answer.heat else ("overlay", answer.overlay)
        yield number, kind, "heatmaps", name


def _of_label(case: Case) -> _Named:
    for number, answer in enumerate(case.answers):
        alone = bool(answer.heat_of_label)
        name = answer.heat_of_label if alone else answer.overlay_of_label
        yield number, "heatOfLabel" if alone else "overlayOfLabel", "heatmaps", name


def _classes(one: CaseSet, titles: Mapping[str, str]) -> dict[str, str]:
    """Codes that a case has or was given, with their names, sorted by code."""
    codes = {case.label for case in one.cases}
    codes |= {answer.decided for case in one.cases for answer in case.answers}
    return {
        numbers.one_line(code): numbers.one_line(titles.get(code, code)) for code in sorted(codes)
    }


def _rules(one: CaseSet) -> list[dict[str, Any]]:
    return [
        {
            "text": numbers.one_line(rule.text),
            "row": one.rows.index(rule.row) if rule.row in one.rows else -1,
            "images": rule.images,
            "groups": rule.groups,
            "shown": list(rule.shown),
        }
        for rule in one.rules
    ]


def _case(case: Case, one: CaseSet, keys: Keys, moved: Moved) -> dict[str, Any]:
    picture = keys.get((-1, "picture"))
    answers = []
    for number, answer in enumerate(case.answers):
        own = {kind: key for (place, kind), (key, _) in keys.items() if place == number}
        fields = moved.get((answer.row, case.dataset, case.image_id), ())
        about = {"fields": [[name, round(effect, 3)] for name, effect in fields]} if fields else {}
        answers.append(_answer(answer, one) | own | about)
    found: dict[str, Any] = {
        "id": numbers.one_line(case.image_id),
        "label": numbers.one_line(case.label),
        "rule": numbers.one_line(case.rule),
        "row": one.rows.index(case.row) if case.row in one.rows else -1,
        "answers": answers,
    }
    if picture:
        found["picture"], found["size"] = picture[0], list(picture[1])
    if case.outline:
        found["outline"] = [list(line) for line in case.outline]
    return found


def _answer(answer: Answer, one: CaseSet) -> dict[str, Any]:
    found: dict[str, Any] = {
        "row": one.rows.index(answer.row),
        "decided": numbers.one_line(answer.decided),
        "p": round(answer.probability, 3),
        "pOfLabel": round(answer.probability_of_label, 3),
    }
    if answer.flags:
        found["flags"] = list(answer.flags)
    return found
