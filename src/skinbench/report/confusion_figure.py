"""The confusion matrix as SVG, written by hand: a page has hundreds of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from skinbench.records import Confusion
from skinbench.report import numbers
from skinbench.report.figures import BLUE, FONTS, INK, MUTED, ON_COLOUR, PAPER, Drawing

_FIELD = 34
_MARGIN = 52
_GAP = 2


def confusion_figure(name: str, confusion: Confusion, classes: Sequence[str]) -> Drawing:
    """Counts and shares of each true class; the share is the strength of the colour, too."""
    counts = confusion.counts
    right = sum(line[i] for i, line in enumerate(counts) if i < len(line))
    title = numbers.one_line(f"Confusion matrix: {confusion.row}")
    alt = numbers.one_line(
        f"Confusion matrix of {confusion.row}, seed {confusion.seed}: {right:,} of "
        f"{sum(map(sum, counts)):,} images on the diagonal"
    )
    size = _MARGIN + _FIELD * len(classes) + 4
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}pt" height="{size}pt"'
    body = "\n".join([*_heads(classes), *_fields(counts)])
    svg = (
        f'{head} viewBox="0 0 {size} {size}" font-family="{FONTS}">\n'
        f'<title>{escape(title)}</title>\n<rect width="{size}" height="{size}" fill="{PAPER}"/>\n'
        f"{body}\n</svg>\n"
    )
    return Drawing(name=name, title=title, alt=alt, svg=svg)


def _heads(classes: Sequence[str]) -> Iterator[str]:
    middle = _MARGIN + _FIELD * len(classes) / 2
    yield f'<g fill="{MUTED}" font-size="9" text-anchor="middle">'
    yield f'<text x="{middle:g}" y="12">decided</text>'
    yield f'<text x="10" y="{middle:g}" transform="rotate(-90 10 {middle:g})">true</text>'
    yield f'</g><g fill="{MUTED}" font-size="8" text-anchor="middle">'
    for index, code in enumerate(classes):
        text, at = escape(numbers.one_line(code)), _MARGIN + _FIELD * (index + 0.5)
        yield f'<text x="{at:g}" y="{_MARGIN - 6}">{text}</text>'
        yield f'<text x="{_MARGIN - 6}" y="{at + 3:g}" text-anchor="end">{text}</text>'
    yield "</g>"


def _fields(counts: Sequence[Sequence[int]]) -> Iterator[str]:
    side = _FIELD - _GAP
    yield f'<g fill="{BLUE}">'
    for down, line in enumerate(counts):
        whole = sum(line)
        for across, count in enumerate(line):
            left, top = _corner(across), _corner(down)
            strength = 0.04 + 0.96 * (count / whole if whole else 0.0)
            yield (
                f'<rect x="{left}" y="{top}" width="{side}" height="{side}" '
                f'fill-opacity="{strength:.3g}"/>'
            )
    yield "</g>"
    for down, line in enumerate(counts):
        yield f'<g font-size="8" fill="{INK}" text-anchor="middle">'
        for across, count in enumerate(line):
            yield _said(_corner(across) + side / 2, _corner(down), count, sum(line))
        yield "</g>"


def _corner(index: int) -> int:
    return _MARGIN + _FIELD * index + _GAP // 2


def _said(middle: float, top: float, count: int, whole: int) -> str:
    share = count / whole if whole else 0.0
    look = "" if count and share <= 0.5 else f' fill="{MUTED if count == 0 else ON_COLOUR}"'
    if not count:
        return f'<text x="{middle:g}" y="{top + 19:g}"{look}>0</text>'
    return (
        f'<text x="{middle:g}" y="{top + 15:g}"{look}>{count:,}'
        f'<tspan x="{middle:g}" dy="10" font-size="6">{100 * share:.0f} %</tspan></text>'
    )
