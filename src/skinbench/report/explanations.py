"""The table of explainers: where their heat lies, what it predicts, what changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench import registry
from skinbench.records import ARTEFACTS, CONTROLS, HEAT_MEASURES, HeatScore, Scorecard
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, integer, words

_TITLES = {
    "inside": "inside lesion",
    "pointing": "points at lesion",
    "deletion": "deletion, low is good",
    "insertion": "insertion, high is good",
    "flip": "mirrored",
    "randomised": "shuffled weights",
    "corners": "corners",
    "dark": "dark",
}
_FLAGS = {f"on_{name}": text for name, text in ARTEFACTS.items()}
_NAMES = {"centre": "(blob in the middle)", "random": "(noise)"}


def explanations_table(scorecard: Scorecard) -> Table:
    """One line for each row, dataset and explainer; the maps that know nothing come last."""
    found: dict[tuple[str, str, str], dict[str, HeatScore]] = {}
    for score in scorecard.explanations:
        found.setdefault((score.row, score.dataset, score.method), {})[score.measure] = score
    taken = [m for m in _TITLES if any(m in scores for scores in found.values())]
    ordered = sorted(found, key=lambda key: (*key[:2], key[2] in CONTROLS, key[2]))
    return Table(
        name="explanations",
        caption="Explainers on test images",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="explainer"),
            Column(title="n", numeric=True),
            *(Column(title=_TITLES[measure], numeric=True) for measure in taken),
        ),
        rows=tuple(_line(key, found[key], taken) for key in ordered),
        notes=tuple(_notes(scorecard.explanations, taken)),
    )


def artefacts_table(scorecard: Scorecard) -> Table:
    """How often heat lies on what is no skin, one line for each row, dataset and explainer."""
    found: dict[tuple[str, str, str], dict[str, HeatScore]] = {}
    for score in scorecard.explanations:
        if score.measure in _FLAGS:
            found.setdefault((score.row, score.dataset, score.method), {})[score.measure] = score
    ordered = sorted(found, key=lambda key: (*key[:2], key[2] in CONTROLS, key[2]))
    return Table(
        name="artefacts",
        caption="Artefacts: share of test images whose heat lies where no skin is",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="explainer"),
            Column(title="n", numeric=True),
            *(Column(title=text, numeric=True) for text in _FLAGS.values()),
        ),
        rows=tuple(_line(key, found[key], list(_FLAGS)) for key in ordered),
        notes=(
            "Flagged: a tenth of the heat or more lies there, and half as much again as even heat "
            "would put there. Lines are found by their shape, as DullRazor does (Lee 1997): hairs, "
            "ruler marks, and now and then a dark line of the lesion itself.",
        ),
    )


def _line(
    key: tuple[str, str, str], scores: Mapping[str, HeatScore], taken: Sequence[str]
) -> tuple[Entry, ...]:
    row, dataset, method = key
    counts = [score.n for score in scores.values() if score.measure in (*_TITLES, *_FLAGS)]
    cells = [
        Entry(text=numbers.estimate(one.value, one.low, one.high))
        if (one := scores.get(measure)) is not None
        else Entry(text=numbers.MISSING)
        for measure in taken
    ]
    return (
        words(row),
        words(dataset or numbers.MISSING),
        words(_NAMES.get(method, method)),
        integer(max(counts, default=0) or None),
        *cells,
    )


def _wholly(scores: Sequence[HeatScore]) -> str:
    """Explainers too slow for more than the sample, as the end of a sentence."""
    known = set(registry.explainers.names())
    used = sorted({score.method for score in scores} & known)
    slow = [name for name in used if registry.explainers.get(name).slow]
    return f"; so is everything of {' and '.join(slow)}" if slow else ""


def _notes(scores: Sequence[HeatScore], taken: Sequence[str]) -> list[str]:
    notes = [f"{_TITLES[measure]}: {HEAT_MEASURES[measure]}." for measure in taken]
    sampled = sorted({score.n for score in scores if score.measure in ("deletion", "flip")})
    if sampled:
        notes.append(
            f"Deletion, insertion, mirrored and shuffled weights are of a sample of "
            f"{' or '.join(map(str, sampled))} images, each class in its share"
            f"{_wholly(scores)}. All else is of every test image."
        )
    lesions = sorted({(s.row, s.dataset, s.value, s.n) for s in scores if s.measure == "lesion"})
    shares = dict.fromkeys(
        f"The lesion covers {numbers.number(value, 3)} of the frame on average ({data}, "
        f"{numbers.count(n)} images): the share of even heat inside it."
        for _, data, value, n in lesions
        if value is not None and n == max(item[3] for item in lesions if item[1] == data)
    )
    notes += shares
    notes.append(
        "An explainer that tells something lies further inside than the blob and the noise, has "
        "lower deletion and higher insertion, and changes when weights are shuffled."
    )
    notes += dict.fromkeys(
        f"{score.row}, {_NAMES.get(score.method, score.method)}: {score.reason}"
        for score in scores
        if score.reason
    )
    return [numbers.one_line(note) for note in notes]
