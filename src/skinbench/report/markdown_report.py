"""The report as Markdown: report.md, and its long tables in further files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skinbench.report import pages
from skinbench.report.view import View


@dataclass(frozen=True, kw_only=True)
class MarkdownFile:
    """One file."""

    title: str
    path: str
    """Below the run folder, POSIX."""
    text: str


def markdown_files(view: View, *, folder: str, figures: str) -> list[MarkdownFile]:
    """report.md first, then the files that it names.

    Args:
        view: what to show.
        folder: name of the folder of the further files.
        figures: name of the folder of drawings.
    """
    parts = list(_parts(view, folder, figures))
    named = [part for part in parts if not part.path.startswith(f"{folder}/cell-")]
    text = pages.markdown_page("report.md.j2", view=view, figures=figures, pages=named, root="")
    return [MarkdownFile(title=view.title, path="report.md", text=text), *parts]


def _parts(view: View, folder: str, figures: str) -> Iterator[MarkdownFile]:
    known: tuple[tuple[str, str, str, object], ...] = (
        (
            "Which rows are separable",
            "standings",
            "standings",
            view.standings or view.dataset_ranks,
        ),
        ("Operating points and calibration", "operating_points", "operating", view.decisions),
        ("Where it fails", "where_it_fails", "weak_spots", view.weak),
        ("All scores", "scores", "scores", True),
        ("Gallery", "gallery", "gallery", True),
        ("Data, splits and audit", "data", "data", True),
        ("How it was made", "made", "made", True),
    )
    for title, name, template, there in known:
        if there:
            text = pages.markdown_page(f"{template}.md.j2", view=view, figures=figures, root="../")
            yield MarkdownFile(title=title, path=f"{folder}/{name}.md", text=text)
    for cell in view.cells:
        text = pages.markdown_page("cell.md.j2", view=view, cell=cell, figures=figures, root="../")
        yield MarkdownFile(title=cell.title, path=f"{folder}/cell-{cell.slug}.md", text=text)
