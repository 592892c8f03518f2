"""What a row's network sees of an image where another row's fit takes part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skinbench import registry
from skinbench.records import MadePixels
from skinbench.suite import SuiteRow, segments

if TYPE_CHECKING:
    from skinbench.plan.fits import FitMaker


def made_pixels(maker: FitMaker, row: SuiteRow, fold: int, seed: int) -> MadePixels | None:
    """What a row's fit sees; None for the images themselves.

    The other row's fit is that of the same fold, and of the same seed where that row has it,
    else of its first seed: several seeds then share what it makes.

    Raises:
        SuiteError: the other row gives no such maps, or has seen what this one is judged on.
    """
    choice, document = row.settings.pixels, maker.suite.document
    if choice is None:
        return None
    _check(maker, row, choice.row, fold)
    theirs, own = maker.rows[choice.row].settings, row.settings.image_size
    options = {**registry.pixels.get(choice.name).options, **choice.options}
    size = options.get("source_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < own):
        key = row.place(document, "pixels", "options", "source_size")
        message = f"source_size is {size!r}, expected pixels, at least image_size {own}"
        raise document.error(message, key)
    entries = [("pixels", choice.name)]
    if "method" in options:
        entries.append(("explainers", str(options["method"])))
    return MadePixels(
        name=choice.name,
        options=options,
        fit=maker.fit(choice.row, fold, seed if seed in theirs.seeds else theirs.seeds[0]),
        fit_size=theirs.image_size,
        source_size=size or own,
        versions=dict(entry_version(kind, name) for kind, name in entries),
    )


def _check(maker: FitMaker, row: SuiteRow, other: str, fold: int) -> None:
    """The other row gives such maps, and was fitted without what this one is judged on."""
    document, ours = maker.suite.document, row.settings
    if not registry.inputs.get(ours.input.name).uses_image:
        message = f"input '{ours.input.name}' reads no image, so none can be made for it"
        raise document.error(message, row.place(document, "pixels"))
    problem = _unfit(maker, row, other) or maker.seen_by(row, other, fold, ("val", "test"))
    if problem:
        raise document.error(f"'{other}' {problem}", row.place(document, "pixels", "row"))


def _unfit(maker: FitMaker, row: SuiteRow, other: str) -> str:
    """Why a row gives no maps for another one; "" where it does."""
    theirs = maker.rows[other].settings
    assert theirs.model is not None
    assert row.settings.pixels is not None
    wanted = registry.pixels.get(row.settings.pixels.name).map
    if segments(maker.rows[other]) != (wanted == "mask"):
        model = theirs.model.name
        tasks = {"mask": "a segmentation, e.g. `model: unet`", "heatmap": "a row that classifies"}
        return f"is a {model}: {row.settings.pixels.name} needs the {wanted} of {tasks[wanted]}"
    input_ = registry.inputs.get(theirs.input.name)
    if theirs.model.trained is not None:
        return "was trained elsewhere, on images that are not known here: it may have seen test"
    if registry.models.get(theirs.model.name).kind != "network" or not input_.uses_image:
        return f"has no network that reads the image, so it gives no {wanted}"
    if input_.uses_metadata:
        return "reads metadata, too: only what reads the image alone makes pixels"
    if theirs.pixels is not None:
        return "sees made pixels itself: only what sees the images themselves makes pixels"
    return ""


def entry_version(kind: str, name: str) -> tuple[str, str]:
    """`kind/name` and its version; the digest of its source for a plug-in."""
    entry: Any = registry.KINDS[kind].get(name)
    return f"{kind}/{name}", registry.KINDS[kind].source_digest(name) or str(entry.version)
