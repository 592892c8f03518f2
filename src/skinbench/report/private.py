"""The Markdown report of private images: no picture of a patient, no image id as it is."""

from __future__ import annotations

import os
from dataclasses import replace

from skinbench.report.gallery import Card
from skinbench.report.view import View
from skinbench.store import salted


def salt_in_use() -> str | None:
    """SKINBENCH_SALT: with it, images are private, as they are for the gate's baseline."""
    return os.environ.get("SKINBENCH_SALT", "").strip() or None


def without_pictures(view: View, salt: str) -> View:
    """The view with cases under salted ids and without thumbnails and heatmaps.

    Markdown travels: into pull requests, comments and summaries. The HTML page stays whole; it is
    a file of the run folder, which holds the pictures anyway.
    """

    def hidden(card: Card) -> Card:
        name = salted("image", card.image_id, salt)[:12]
        blank = replace(card, thumbnail=None, heatmap=None, heatmap_of_label=None)
        return replace(blank, image_id=name, alt=name)

    rows = tuple(
        replace(
            row,
            groups=tuple(
                replace(group, cards=tuple(hidden(card) for card in group.cards))
                for group in row.groups
            ),
        )
        for row in view.gallery.rows
    )
    return replace(view, gallery=replace(view.gallery, rows=rows))
