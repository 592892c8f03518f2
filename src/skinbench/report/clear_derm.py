"""CLEAR Derm (Daneshjou 2022), each item with where a run folder answers it."""

from __future__ import annotations

from skinbench.report import numbers
from skinbench.report.card_facts import CardFacts
from skinbench.report.checklists import Checklist, Item


def _images(facts: CardFacts) -> str:
    """What the datasets' own titles and citations say, and no more."""
    return "; ".join(f"{d.info.title}: {d.info.citation or 'no citation'}" for d in facts.data)


def _preprocessing(facts: CardFacts) -> str:
    return "; ".join(filter(None, (facts.preprocessing(), facts.cleaning())))


def _synthetic(facts: CardFacts) -> str:
    if not facts.data:
        return ""
    drawn = [d.info.title for d in facts.data if d.info.synthetic]
    return f"drawn by a program from a seed: {', '.join(drawn)}" if drawn else "none used"


def _skin_tone(facts: CardFacts) -> str:
    spots = facts.content.scorecard.weak_spots
    if spots is None:
        return ""
    if any(g.slice == "fitzpatrick" and g.dataset == facts.place.dataset for g in spots.groups):
        return "Fitzpatrick type as the dataset gives it; scores by type under Subgroups"
    looked_for = any(note.startswith("Fitzpatrick") for note in spots.notes)
    return "no dataset of this run says it of any image" if looked_for else ""


def _external(facts: CardFacts) -> str:
    return f"yes: {facts.place.dataset}" if facts.external else "none in this cell"


def _sources(facts: CardFacts) -> str:
    spots = facts.content.scorecard.weak_spots
    groups = spots.groups if spots else ()
    names = sorted(
        {g.group for g in groups if g.slice == "source" and g.dataset == facts.place.dataset}
    )
    return f"test images by source: {', '.join(names)}" if names else ""


def _elsewhere(facts: CardFacts) -> str:
    spots = facts.content.scorecard.weak_spots
    mine = [
        o for o in (spots.out_of_distribution if spots else ()) if o.row == facts.place.row.name
    ]
    return "; ".join(
        f"{o.outside}: AUROC of doubt {numbers.estimate(o.value, o.low, o.high)}" for o in mine
    )


def _labels(facts: CardFacts) -> str:
    spots = facts.content.scorecard.weak_spots
    groups = spots.groups if spots else ()
    kinds = sorted(
        {g.group for g in groups if g.slice == "dx_type" and g.dataset == facts.place.dataset}
    )
    return f"as the dataset says: {', '.join(kinds)}" if kinds else ""


def _histology(facts: CardFacts) -> str:
    spots, focus = facts.content.scorecard.weak_spots, facts.focus
    found = {
        g.group: g.n
        for g in (spots.groups if spots else ())
        if (g.row, g.dataset, g.slice, g.class_)
        == (facts.place.row.name, facts.place.dataset, "dx_type", focus)
        and g.metric == "recall"
    }
    total = sum(found.values())
    if not total or not any(kind.startswith("hist") for kind in found):
        return ""
    confirmed = sum(n for kind, n in found.items() if kind.startswith("hist"))
    return f"{confirmed:,} of {total:,} test images of {focus} by histopathology"


def _vocabulary(facts: CardFacts) -> str:
    titles = facts.test.label_space.titles if facts.test else {}
    named = [f"{code}: {titles[code]}" for code in facts.place.row.classes if code in titles]
    return ", ".join(named)


def _public(facts: CardFacts) -> str:
    weights = "the kept weights stay in the store of whoever ran it"
    return f"the suite and the predictions in the run folder; {weights}" if facts.cells else ""


def _benchmark(facts: CardFacts) -> str:
    others = [r for r in facts.content.rows if r.split == facts.place.row.split]
    plain = sum(row.kind == "plain" for row in others)
    return (
        f"beside {numbers.counted(len(others) - 1, 'other row')} on the same split, {plain} of "
        f"them baselines without a network"
    )


CLEAR_DERM = Checklist(
    name="clear-derm",
    title="CLEAR Derm 2022",
    source="the four parts of Daneshjou et al., JAMA Dermatol 2022;158:90, "
    "doi:10.1001/jamadermatol.2021.4915",
    items=(
        Item("1", "kinds of images", _images),
        Item("2", "artefacts in them: rulers, ink, hair"),
        Item("3", "how they were taken: devices, light, resolution"),
        Item("4", "preprocessing", _preprocessing),
        Item("5", "synthetic images, and where they are", _synthetic),
        Item("6", "public images and their references",
             lambda facts: "; ".join(d.info.homepage for d in facts.data if d.info.homepage)),
        Item("7", "metadata of patients", CardFacts.subgroups),
        Item("8", "skin colour, and how it was judged", _skin_tone),
        Item("9", "biases that the data may bring"),
        Item("10", "how data were divided", CardFacts.grouping),
        Item("11", "sizes of train, val and test", CardFacts.sizes),
        Item("12", "an external test set", _external),
        Item("13", "images of several makers or places", _sources),
        Item("14", "classes and their balance", lambda facts: facts.class_counts("test")),
        Item("15", "images of what it never learnt", _elsewhere),
        Item("16", "how labels were made, and by whom", _labels),
        Item("17", "labels in accepted terms", _vocabulary),
        Item("18", "malignancy confirmed by histopathology", _histology),
        Item("19", "how the algorithm was developed", CardFacts.training),
        Item("20", "how others can evaluate it", _public),
        Item("21", "measures of performance", CardFacts.headline),
        Item("22", "comparison with others", _benchmark),
        Item("23", "assessment of bias", CardFacts.subgroups),
        Item("24", "use cases and conditions that it is for",
             lambda _: "research on archived images; not for diagnosis"),
        Item("25", "what it may do to patients and staff"),
    ),
)  # fmt: skip
