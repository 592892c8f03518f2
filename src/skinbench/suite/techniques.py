"""Which techniques go together in one row: each changes another part of training."""

from __future__ import annotations

from skinbench import registry
from skinbench.suite.settings import RowSettings

PARTS = {
    "sampler": "choose the images of an epoch",
    "weights": "weigh the classes",
    "smoothing": "soften the labels",
    "loss": "are a loss of their own",
    "offset": "shift the logits",
    "mix": "mix the images of a batch",
}
"""Parts of training that a technique can change, as `two techniques ...`."""

_CLASHES = (
    ("loss", "weights", "'{0}' is a loss of its own, which '{1}' cannot weigh: use the loss's own "
     "options, or class_balanced_focal"),
    ("loss", "smoothing", "'{0}' is a loss of its own, whose labels '{1}' cannot soften"),
    ("offset", "sampler", "'{0}' goes by the class shares of train, which '{1}' changes"),
)  # fmt: skip


def technique_problem(settings: RowSettings) -> str:
    """Why a row's techniques cannot go together; "" where they can."""
    owner: dict[str, str] = {}
    for choice in settings.technique.all:
        for part in sorted(registry.techniques.get(choice.name).parts):
            if part in owner:
                first, second = owner[part], choice.name
                return f"'{first}' and '{second}' both {PARTS[part]}; leave one of them out"
            owner[part] = choice.name
    for one, other, message in _CLASHES:
        if one in owner and other in owner and owner[one] != owner[other]:
            return message.format(owner[one], owner[other])
    if "mix" in owner and not registry.inputs.get(settings.input.name).uses_image:
        return f"'{owner['mix']}' mixes images, and input '{settings.input.name}' reads none"
    return ""
