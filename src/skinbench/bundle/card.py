"""A bundle's own short model card, as Markdown."""

from __future__ import annotations

from skinbench.bundle.words import NOT_A_DEVICE, NOT_COMMERCIAL, interval_words
from skinbench.errors import counted
from skinbench.records import Bundle
from skinbench.records.operating import Estimate


def bundle_card(bundle: Bundle) -> str:
    """What the model is, what it was trained on, how well it did, and what it is not."""
    lines = [f"# {bundle.row}", "", f"**{NOT_A_DEVICE}**", ""]
    if bundle.non_commercial:
        lines += [f"**{NOT_COMMERCIAL}**", ""]
    named = ", ".join(f"{bundle.title(code)} ({code})" for code in bundle.classes)
    lines += [
        f"Exported from the run `{bundle.suite}`, cell `{bundle.cell}`, by skinbench "
        f"{bundle.skinbench}. Classes: {named}.",
        "",
        "## Trained on",
        "",
        *(
            f"- {item.title}: {counted(item.images, 'image')}; licence {item.licence}. "
            f"{item.citation} {item.homepage}"
            for item in bundle.trained_on
        ),
        *(f"- {sentence}" for sentence in bundle.weights),
        "",
        "## Tested on",
        "",
        f"{counted(bundle.test_images, 'image')} of {bundle.dataset} "
        f"({counted(bundle.test_groups, 'lesion group')}), split `{bundle.split}` by "
        f"{bundle.group}; intervals {bundle.level:.0%}, resampled by lesion group.",
        "",
        *_cautions(bundle),
        *_table(bundle),
        "",
        "## The exported files",
        "",
        f"Over all {counted(bundle.parity.images, 'test image')} the largest difference of a "
        f"probability to the fit's is {bundle.parity.largest_difference:.1e}; all "
        f"{counted(bundle.parity.decisions, 'decision')} are equal.",
        "",
    ]
    return "\n".join(lines)


def _cautions(bundle: Bundle) -> list[str]:
    found = [text for text in (bundle.stamp, bundle.smoke, *bundle.notes) if text]
    return [*(f"- {text}" for text in found), *[""] * bool(found)]


def _table(bundle: Bundle) -> list[str]:
    lines = ["| score | value | interval | n |", "|---|---|---|---|"]
    for item in bundle.evidence:
        name = item.metric.replace("_", " ") + (f" of {item.class_}" if item.class_ else "")
        lines.append(f"| {name} | {_value(item)} | {interval_words(item)} | {_n(item)} |")
    return lines


def _value(item: Estimate) -> str:
    return item.reason or "undefined" if item.value is None else f"{item.value:.3f}"


def _n(item: Estimate) -> str:
    return str(item.n) if item.n_positive is None else f"{item.n} ({item.n_positive} of the class)"
