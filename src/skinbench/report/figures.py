"""Figures as SVG: the same drawing stands alone beside the Markdown and inline in the HTML.

Text stays text, colours come from a small set of tokens that the HTML page replaces by its own
variables, so that one drawing serves light and dark. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from skinbench.records import EpochRecord
from skinbench.report import numbers
from skinbench.report.board import TestSet

INK, MUTED, GRID, PAPER, ON_COLOUR = "#1d2430", "#5c6675", "#d5dae2", "#fefefe", "#fffefe"
BLUE, ORANGE = "#0b62a8", "#b8500b"
"""Both tell apart for colour-blind readers, on white and on black."""
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--rule)",
    PAPER: "none",
    ON_COLOUR: "var(--on-data)",
    BLUE: "var(--data-a)",
    ORANGE: "var(--data-b)",
}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "skinbench",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
}
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


_SHARED = tuple(
    [
        f"font-size: {size}px; text-anchor: {anchor}; fill: {colour}"
        for size, anchor, colour in (
            (8, "middle", MUTED),
            (8, "end", MUTED),
            (9, "middle", MUTED),
            (8, "middle", INK),
            (6, "middle", INK),
            (8, "middle", ON_COLOUR),
            (6, "middle", ON_COLOUR),
            (8, "start", ORANGE),
            (8, "start", BLUE),
        )
    ]
    + [
        f"fill: none; stroke: {colour}; {width}; stroke-linecap: square"
        for colour, width in (
            (GRID, "stroke-width: 0.6"),
            (GRID, "stroke-width: 1.2"),
            (BLUE, "stroke-width: 1.6"),
            (BLUE, "stroke-opacity: 0.45; stroke-width: 2"),
            (ORANGE, "stroke-width: 1.6"),
            (ORANGE, "stroke-opacity: 0.7; stroke-width: 1.4"),
        )
    ]
    + [f"fill: {BLUE}; stroke: {BLUE}", f"fill: {BLUE}"]
)
"""Styles that most marks of a page have: each a class of the page, so that a mark stays short."""
_JOINS = 'stroke-linejoin="round" stroke-linecap="butt"'


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure."""

    name: str
    """File name under figures/, without the ending."""
    title: str
    alt: str
    """What the figure shows, in words."""
    svg: str
    """A whole SVG document."""

    @property
    def file(self) -> str:
        """File name."""
        return f"{self.name}.svg"

    def inline(self, prefix: str) -> str:
        """The drawing as an element of an HTML page.

        Args:
            prefix: unique on the page; put before every id, so that no two drawings clash.
        """
        body = self.svg[self.svg.index("<svg") :]
        head, _, rest = body.partition(">")
        box = re.search(r'viewBox="[^"]*"', head)
        rest = re.sub(r"<title>.*?</title>", "", rest, count=1, flags=re.DOTALL)
        # A rule for every element of the page, once for each drawing, would slow the page down.
        rest = re.sub(
            r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", rest, count=1, flags=re.DOTALL
        )
        rest = re.sub(
            rf'style="(fill: {BLUE}); opacity: ([\d.]+)"', r'style="\1" opacity="\2"', rest
        )
        for index, style in enumerate(_SHARED):
            rest = rest.replace(f'style="{style}"', f'class="d{index}"')
        prefix = f"d{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"
        rest = re.sub(r"\bxlink:href=", "href=", rest)
        rest = re.sub(r'\bid="', f'id="{prefix}-', rest)
        rest = re.sub(r'href="#', f'href="#{prefix}-', rest)
        rest = re.sub(r"url\(#", f"url(#{prefix}-", rest)
        for colour, variable in _VARIABLES.items():
            rest = rest.replace(colour, variable)
        label = escape(self.alt, {'"': "&quot;"})
        return f'<svg {box[0] if box else ""} role="img" aria-label="{label}" {_JOINS}>{rest}'


def shared_styles() -> str:
    """The page's rules for the marks of its drawings."""
    rules = "\n".join(f"svg .d{index} {{ {style}; }}" for index, style in enumerate(_SHARED))
    for colour, variable in _VARIABLES.items():
        rules = rules.replace(colour, variable)
    return rules


def matrix_figure(
    name: str, title: str, rows: Sequence[str], values: Sequence[Sequence[float | None]]
) -> Drawing:
    """Shares between every two rows, as numbers and as the strength of the colour.

    Args:
        name: file name without its ending.
        title: what the shares are.
        rows: names, down and across (by number).
        values: [row][row] in [0, 1]; None where unknown.
    """
    count = len(rows)
    width, height = 0.46 * count + 3.1, 0.4 * count + 0.6
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes(
            (2.9 / width, 0.08 / height, 0.46 * count / width, 0.4 * count / height)
        )
        for down, line in enumerate(values):
            for across, value in enumerate(line):
                _share_field(axes, (across, down), value)
        axes.set(xlim=(0, count), ylim=(count, 0))
        axes.set_xticks([i + 0.5 for i in range(count)], [str(i + 1) for i in range(count)])
        texts = [f"{_short(row)}  {i + 1}" for i, row in enumerate(rows)]
        axes.set_yticks([i + 0.5 for i in range(count)], texts)
        axes.xaxis.set(ticks_position="top")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        known = [v for i, line in enumerate(values) for v in line[:i] if v is not None]
        span = f", from {min(known):.2f} to {max(known):.2f}" if known else ""
        return made_drawing(figure, name, title, f"{title}: {numbers.counted(count, 'row')}{span}")


def _share_field(axes: Axes, place: tuple[int, int], value: float | None) -> None:
    left, top = place
    field = Rectangle((left + 0.03, top + 0.03), 0.94, 0.94, linewidth=0)
    field.set(facecolor=BLUE, alpha=round(0.04 + 0.96 * (value or 0.0), 3))
    axes.add_patch(field)
    text = numbers.MISSING if value is None else f"{value:.2f}"
    colour = ON_COLOUR if value is not None and value > 0.5 else INK
    axes.text(left + 0.5, top + 0.5, text, color=colour, size=8, ha="center", va="center")


def curves_figure(
    name: str, row: str, histories: Mapping[str, Sequence[EpochRecord]], best: Mapping[str, int]
) -> Drawing:
    """Loss and val accuracy by epoch, a line for each cell; kept epochs are marked.

    Args:
        name: file name without its ending.
        row: name of the row.
        histories: cell name to epochs.
        best: cell name to the 1-based epoch that was kept.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.6, 2.5))
        left, right = figure.subplots(1, 2)
        alpha = 1.0 if len(histories) == 1 else 0.6
        for cell, epochs in histories.items():
            kept = best.get(cell)
            _curve(left, epochs, "train_loss", (ORANGE, alpha, None))
            _curve(left, epochs, "val_log_loss", (BLUE, alpha, kept))
            _curve(right, epochs, "val_accuracy", (ORANGE, alpha, kept))
            _curve(right, epochs, "val_balanced_accuracy", (BLUE, alpha, kept))
        longest = max((epoch.epoch for epochs in histories.values() for epoch in epochs), default=1)
        for axes in (left, right):
            axes.grid(axis="y")
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(length=0)
            axes.set_xlabel("epoch")
            axes.set_xlim(0.5, longest + 0.5)
            axes.xaxis.get_major_locator().set_params(integer=True)
        right.set_ylim(0, 1)
        _legend(left, "train loss", "val log loss")
        _legend(right, "val accuracy", "val balanced accuracy")
        figure.subplots_adjust(left=0.06, right=0.985, bottom=0.19, top=0.87, wspace=0.16)
        alt = (
            f"Training curves of {row}: loss and val accuracy over {longest} epochs, "
            f"{numbers.counted(len(histories), 'fit')}"
        )
        return made_drawing(figure, name, f"Training curves: {row}", alt, clipped=False)


def _curve(
    axes: Axes,
    epochs: Sequence[EpochRecord],
    field: str,
    look: tuple[str, float, int | None],
) -> None:
    colour, alpha, kept = look
    points = [(e.epoch, getattr(e, field)) for e in epochs if getattr(e, field) is not None]
    if not points:
        return
    marker = "o" if len(points) == 1 else ""
    axes.plot(*zip(*points, strict=True), color=colour, alpha=alpha, lw=1.6, marker=marker, ms=3)
    chosen = [point for point in points if point[0] == kept]
    if chosen:
        axes.plot(*chosen[0], "o", ms=5, color=colour, markeredgecolor=PAPER, zorder=3)


def _legend(axes: Axes, orange: str, blue: str) -> None:
    """Names of the two lines above the axes, in their colours."""
    for text, colour, left in ((orange, ORANGE, 0.0), (blue, BLUE, 0.36)):
        axes.text(left, 1.06, f"● {text}", color=colour, size=8, transform=axes.transAxes)


def forest_figure(name: str, table: TestSet) -> Drawing | None:
    """Recall, specificity and balanced accuracy of every row with their intervals."""
    wanted = [c for c in table.columns if c.class_ == table.focus and table.focus]
    wanted += [c for c in table.columns if c.key == "balanced_accuracy"]
    rows = [row for row in table.rows if row.n is not None]
    if not rows or not wanted:
        return None
    several = len({row.run for row in rows}) > 1
    names = [f"{row.row} ({row.run})" if several else row.row for row in rows]
    height = 0.27 * len(rows) + 0.75
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, height))
        panels = figure.subplots(1, len(wanted), squeeze=False)[0]
        for axes, column in zip(panels, wanted, strict=True):
            for place, row in enumerate(rows):
                score = row.scores.get(column.key)
                if score is None or score.value is None:
                    axes.text(
                        0.5, place, "undefined", color=MUTED, size=8, ha="center", va="center"
                    )
                    continue
                low = score.value if score.low is None else score.low
                high = score.value if score.high is None else score.high
                colour = ORANGE if row.stamp else BLUE
                axes.plot([low, high], [place, place], color=colour, lw=2, alpha=0.55)
                axes.plot(score.value, place, "o", ms=5, color=colour, markeredgecolor=PAPER)
            _forest_axes(axes, column.title, len(rows))
        panels[0].set_yticks(range(len(rows)), _texts([_short(item) for item in names]))
        panels[0].tick_params(axis="y", labelcolor=INK, labelsize=8.5)
        top, bottom = 1 - 0.34 / height, 0.32 / height
        figure.subplots_adjust(left=0.31, right=0.985, top=top, bottom=bottom, wspace=0.16)
        shown = ", ".join(column.title for column in wanted)
        alt = f"{shown} with intervals for {numbers.counted(len(rows), 'row')} on {table.title}"
        return made_drawing(figure, name, f"{table.title}: {shown}", alt)


def _forest_axes(axes: Axes, title: str, rows: int) -> None:
    axes.set_title(title, loc="left", weight="bold")
    axes.set(xlim=(-0.02, 1.02), ylim=(rows - 0.5, -0.5))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _short(text: str, limit: int = 40) -> str:
    """Long names lose their middle: their ends tell rows of a grid apart."""
    text = numbers.one_line(text)
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _texts(values: Sequence[str]) -> list[str]:
    return [numbers.one_line(value) for value in values]


def made_drawing(
    figure: Figure, name: str, title: str, alt: str, *, clipped: bool = True
) -> Drawing:
    """A figure as a drawing; the same figure gives the same bytes.

    Args:
        figure: of matplotlib.
        name: file name without its ending.
        title: short.
        alt: what it shows, in words.
        clipped: False where nothing lies outside its axes: no mark then has to name its frame.
    """
    title, alt = numbers.one_line(title), numbers.one_line(alt)
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    metadata: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # Text stays text, so a letter that matplotlib's own font lacks is the reader's to draw.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=metadata)
    svg = buffer.getvalue()
    if not clipped:
        svg = re.sub(r' clip-path="[^"]*"', "", svg)
        svg = re.sub(r"<clipPath.*?</clipPath>\s*", "", svg, flags=re.DOTALL)
    return Drawing(name=name, title=title, alt=alt, svg=_cleaned(svg, title))


def _cleaned(svg: str, title: str) -> str:
    """Without metadata, doctype, comments and ids that nothing points to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r"<[^<>]*>", lambda match: _short_tag(match[0]), svg)
    svg = re.sub(r"<g/>|<defs>\s*</defs>", "", svg)
    if "<g " not in svg:  # groups that say nothing
        svg = re.sub(r"</?g>", "", svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    head, _, rest = svg.partition(">")
    # One font for the whole drawing; within a page it takes the page's.
    return f'{head} font-family="{FONTS}">\n<title>{escape(title)}</title>{rest}'.rstrip() + "\n"


def _short_tag(tag: str) -> str:
    """An element with hundredths of a point, one line, and without a font of its own."""
    tag = re.sub(
        r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), tag
    )
    tag = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", tag)
    tag = re.sub(r"font-family: [^;\"]*; ?", "", tag)
    tag = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", tag)
    return re.sub(r"\s*\n\s*", " ", tag).replace(' "', '"')
