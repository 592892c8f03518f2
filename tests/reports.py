"""A run's report in Markdown as one text, wherever its parts stand."""

from __future__ import annotations

from skinbench.store import RunFolder


def whole_markdown(folder: RunFolder) -> str:
    """report.md, then the files beside it by name."""
    files = [folder.markdown, *sorted(folder.further.glob("*.md"))]
    return "\n".join(path.read_text("utf-8") for path in files)
